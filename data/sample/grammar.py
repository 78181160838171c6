"""The words and patterns of the sample corpus, as data for `sample.py`.

A pattern is text with this markup:

    {symbol}        one of the symbol's words or patterns, drawn every time
    {symbol1}       the same, but drawn once for each theme of a document
    [one/two]       one of these
    <book:...>      a labelled span; a symbol that is named like a category labels itself
    # $ ~           a digit, a digit from 1 to 9, a small letter

Labelling rules:

- A position is labelled if it is that of a certain person or of a vacancy. 各部门经理 is neither.
- 公司, 协会, 景区, 电影 without a name are not labelled.
- Digits are labelled as the text calls them (手机, QQ, 微信). Order, parcel and book numbers, postcodes, codes and
  switchboards (400-...) are not labelled, even if they look like a mobile number.
- Books, movies and games are labelled with their marks 《》. Regulations, songs, columns and forms are not labelled.
- A landmark is a scene if it is visited, and an address if somebody lives, works or meets there.

Everything is invented. Mobile and QQ numbers have a block such as 0000 or 1234; mail goes to reserved domains.
"""

from __future__ import annotations

from typing import NamedTuple

CATEGORIES = (
    "position", "name", "movie", "organization", "company", "game", "book",
    "address", "scene", "government", "email", "mobile", "QQ", "vx",
)  # fmt: skip


def _words(text: str) -> list[str]:
    """The words of a text with spaces, or the characters of a text without."""
    return text.split() if " " in text else list(text)


SURNAMES = _words(
    "王 李 张 刘 陈 杨 黄 赵 吴 周 徐 孙 马 朱 胡 郭 何 高 林 罗 郑 梁 谢 宋 唐 许 韩 冯 邓 曹 彭 曾 肖 田 董 "
    "潘 袁 蔡 蒋 余 于 杜 叶 程 苏 魏 吕 丁 任 沈 姚 卢 姜 崔 钟 谭 陆 汪 范 金 石 廖 贾 夏 韦 付 方 白 邹 孟 "
    "熊 秦 邱 江 尹 薛 闫 段 欧阳 上官 司徒 慕容"
)

# Each word is one of the first list and one of the second. Every such pair belongs to one part of the corpus, so that
# the names of the test part are new and their characters are known.
PAIRS: dict[str, tuple[list[str], list[str]]] = {
    "given": (
        _words("文志晓雨思子建国海俊明梓佳欣雅静丽春秋永少振学宏立家一书启若诗可景泽君天承彦婉慧锦念予"),
        _words("华强军平伟芳敏娜涛杰琳妍轩宇涵博辰怡洁峰鹏超勇宁安彤菲然琪瑶龙斌昊瑞毅航川舟禾岚萱晨凯蕾"),
    ),
    "short_name": (SURNAMES, _words("敏涛杰琳妍轩宇博辰怡洁峰鹏超勇宁彤菲琪瑶斌昊瑞毅航岚萱晨凯蕾")),
    "foreign_name": (
        _words("安德森· 艾琳· 卡洛斯· 玛蒂娜· 尼古拉· 索菲亚· 奥利弗· 雷蒙德· 伊莎贝尔· 马库斯· 哈罗德· 克拉拉·"),
        _words("温特斯 罗森菲尔德 卡尔森 贝内特 费兰迪 莫拉莱斯 哈特利 科瓦奇 林德曼 德雷克 奥布莱恩 桑切斯"),
    ),
    "stem": (
        _words("云岚星澜汐珂翎穗朗曜霁沐樾铭启瀚凌墨晟禾芯锐拓澄微蓝鲸橙念知合联优聚"),
        _words("帆泽禾漾途麦拓序翼舟谷屿格澈图域桥炬川石迪森纳维诺科博达创源驰越"),
    ),
    "place": (
        _words("澜岚汐栎棠翎霁槿渚砚楠筠昙杉黛绛苇芷鹭鲤梧樟蓼芦柚枫桐"),
        _words("州阳江城川岭溪港原林安平浦宁"),
    ),
    "scenic": (
        _words("碧翠月雾鹤鹿烟霞莲松栖听落望飞隐灵古银金白青"),
        _words("屏泉岩潭溪亭霜音隐鸣台浮荷渡坪垭洲湾"),
    ),
    "title": (
        _words(
            "沉默的 最后的 遥远的 消失的 看不见的 漫长的 第七个 第三个 没有 寻找 穿越 告别 再见 南方 北岸 午夜 "
            "深海 云端 逆光 无名 白色 蓝色 迟到的 燃烧的 折叠的 倒流的 走失的 隔壁的 一千个 雪国 荒野 边境 盛夏 "
            "初冬 暗夜 孤岛 被风吹过的 会唱歌的 重返 回到"
        ),
        _words(
            "灯塔 黄昏 车站 钟表匠 邮差 海岸线 图书馆 信使 花园 旅人 星图 河流 迷宫 证人 渡口 雨季 告白 列车 剧场 "
            "倒影 守夜人 候鸟 麦田 琴声 密码 山谷 麻雀 房间 影子 来信 棋局 归途 岛屿 焰火 隧道 面具 航线 摇篮曲 "
            "屋顶 月台"
        ),
    ),
    "game_title": (
        _words(
            "星穹 幻域 苍焰 龙渊 破晓 机甲 魔灵 山海 御剑 末日 萌宠 像素 暗影 极速 王城 仙途 蒸汽 深渊 银河 符文 "
            "钢铁 猎魂"
        ),
        _words(
            "战纪 争霸 物语 传说 大冒险 幻想 之战 竞技场 远征 联盟 纪元 大作战 起源 英雄 无双 冒险岛 守卫战 奇谭 风暴"
        ),
    ),
    "trade_position": (
        _words(
            "市场 销售 品牌 财务 技术 运营 人事 采购 法务 产品 客服 行政 项目 公关 研发 供应链 数据 安全 渠道 战略 "
            "内容 设计 物流 质量 培训 投资 风控 算法 测试 大客户"
        ),
        _words("经理 总监 主管 专员 助理 顾问 工程师 负责人 部经理 部主任 副总监"),
    ),
    "civil_office": (
        _words("办公室 综合科 宣传科 执法大队 审批处 监察处 规划科 信访科 档案科 应急处 法规处 社区科 督查室 人事处"),
        _words("主任 副主任 科长 副科长 处长 副处长 负责人"),
    ),
    "scholar_office": (
        _words("文学院 历史学院 物理学院 新闻学院 计算机学院 医学院 经济学院 美术学院 外语学院 数学学院 法学院"),
        _words("院长 副院长 教授 副教授 讲师 研究员 辅导员"),
    ),
}

WORDS: dict[str, list[str]] = {
    "surname": SURNAMES,
    "trade": _words(
        "科技 网络 文化传媒 食品 建材 生物医药 物流 教育咨询 电子商务 新能源 影业 置业 信息技术 餐饮管理 医疗器械 "
        "汽车销售 装饰工程 环保 软件 服饰 旅游开发 农业 半导体 人力资源"
    ),
    "agency": _words(
        "公安局 教育局 市场监督管理局 税务局 住房和城乡建设局 卫生健康委员会 文化和旅游局 人力资源和社会保障局 "
        "交通运输局 自然资源局 民政局 财政局 生态环境局 应急管理局 发展和改革委员会"
    ),
    "field": _words(
        "茶文化 心理 建筑 数学 围棋 摄影 历史 戏剧 民俗 登山 天文 昆虫 陶艺 经济 传播 古籍 园艺 儿童文学 书法 海洋"
    ),
    "mascot": _words("飞鹰 雪豹 蓝鲨 烈马 银狐 赤龙 猎隼 黑熊 闪电 野牛 巨浪 火凤"),
    "scene_kind": _words(
        "风景区 国家森林公园 古镇 湿地公园 博物馆 寺 塔 湖 山 海洋公园 大峡谷 书院 瀑布 古城 石窟 植物园 岛 老街"
    ),
    "landmark_kind": _words("古镇 湖 山 老街 公园 岛 古城"),
    "company_rank": _words("总经理 董事长 CEO 首席执行官 副总裁 创始人 总裁 首席技术官 副总经理 董事会秘书"),
    "film_job": _words("导演 编剧 制片人 总制片 摄影指导 美术指导 动作指导 副导演 配乐师 监制"),
    "civil_rank": _words("新闻发言人 党组书记 党组成员 科员 四级调研员"),
    "club_rank": _words("秘书长 会长 副会长 理事长 副秘书长"),
    "coach_rank": _words("主教练 领队 队长 助理教练 体能教练"),
    "press_job": _words("主编 责任编辑 策划编辑 翻译 插画师 书评人"),
    "month": [str(number) for number in range(1, 13)],
    "day": [str(number) for number in range(1, 29)],
    "hour": _words("8 9 10 11 14 15 16 17 19 20"),
    "minute": _words("00 05 10 15 20 30 40 45 50"),
    "fake": _words("0000 1234 5555 0123 6666"),
    "domain": _words(
        "example.com example.cn example.org example.net mail.example.com post.example.cn office.example.cn "
        "team.example.org"
    ),
    "pinyin": _words(
        "wang li zhang liu chen yang zhao wu zhou xu sun ma zhu lin luo zheng tang song xiao yu wen jia min hao rui "
        "lan fan he chuan ning jing tao kai lei yan mei qing bo"
    ),
    "handle": _words(
        "sunny coffee mango panda river maple cloud bunny tiger lemon orange winter echo nana tutu doudou"
    ),
    "product": _words("空气净化器 儿童手表 折叠自行车 电热水壶 扫地机器人 蓝牙耳机 实木书桌 智能门锁 保温杯 投影仪"),
    "degree": _words("大专及以上 本科及以上 硕士研究生"),
}

PATTERNS: dict[str, tuple[str, ...]] = {
    # people
    "name": ("{surname}{given}", "{surname}{given}", "{surname}{given}", "{short_name}", "{short_name}",
             "[{foreign_name}/{surname}{given}]"),
    "position": ("{trade_position}", "{trade_position}", "{trade_position}", "[华东/华南/西南]区{trade_position}",
                 "{company_rank}"),
    "officer": ("<position:{civil_office}>", "<position:{civil_rank}>"),
    "filmmaker": ("<position:{film_job}>",),
    "clubman": ("<position:{club_rank}>",),
    "coach": ("<position:{coach_rank}>",),
    "judge": ("<position:[审判长/审判员/书记员]>",),
    "scholar": ("<position:{scholar_office}>",),
    "pressman": ("<position:{press_job}>",),
    # bodies
    "company": ("{stem}{trade}有限公司", "{place}{stem}{trade}有限公司", "{place}市{stem}{trade}有限责任公司",
                "{stem}{trade}股份有限公司", "{stem}{trade}", "{stem}集团", "{place}{stem}实业集团", "{stem}控股",
                "{stem}（{place}）{trade}有限公司"),
    "studio": ("<company:{stem}影业>", "<company:{stem}文化传媒有限公司>", "<company:{place}{stem}影视有限公司>"),
    "developer": ("<company:{stem}游戏>", "<company:{stem}互动娱乐>", "<company:{stem}网络科技有限公司>"),
    "publisher": ("<company:{stem}出版社>", "<company:{place}文艺出版社>", "<company:{stem}图书有限公司>"),
    "organization": ("{place}大学", "{place}师范学院", "{place}市{field}协会", "{place}{field}学会", "{place}交响乐团",
                     "{stem}慈善基金会", "{place}第[一/二/三/四]中学", "{place}{mascot}足球俱乐部",
                     "{stem}志愿者服务队", "{place}理工大学", "{place}[篮球/排球/乒乓球]队"),
    "college": ("<organization:{place}大学>", "<organization:{place}师范学院>", "<organization:{place}理工大学>",
                "<organization:{place}工业学院>"),
    "club": ("<organization:{place}{mascot}足球俱乐部>", "<organization:{place}{mascot}队>"),
    "game_club": ("<organization:{stem}{mascot}战队>", "<organization:{place}{mascot}电竞俱乐部>",
                  "<organization:{stem}战队>"),
    "association": ("<organization:{place}市{field}协会>", "<organization:{place}{field}学会>",
                    "<organization:{place}省{field}研究会>", "<organization:{stem}公益基金会>"),
    "government": ("{place}市{agency}", "{place}市{agency}", "{place}县{agency}",
                   "{place}市{place}区{agency}", "{place}市人民政府", "{place}海关", "{place}县{place}镇人民政府",
                   "{place}市{place}区[政府/纪委监委]", "市{agency}"),
    "court": ("<government:{place}市中级人民法院>", "<government:{place}市{place}区人民法院>",
              "<government:{place}县人民法院>"),
    # places
    "road": ("{place}[路/大道/街]", "{stem}[路/大道/街]", "{place}[东/西/南/北][路/街]"),
    "number": ("$", "$#", "$##"),
    "room": ("$0#", "$#0#", "$1#"),
    "address": ("{place}市{place}区{road}{number}号", "{place}市{road}{number}号",
                "{place}省{place}市{place}区{road}{number}号", "{place}区{road}{number}号{stem}大厦{room}室",
                "{place}市{place}区{stem}花园$#栋{room}",
                "{place}县{place}镇{road}$#号", "{place}市{stem}广场[A/B/C]座1#层", "{place}市{road}与{road}交叉口"),
    "city": ("<address:{place}>", "<address:{place}市>", "<address:{place}市>", "<address:{place}省{place}市>",
             "<address:{place}市{place}区>"),
    "landmark": ("<address:{scenic}{landmark_kind}>",),
    "scene": ("{scenic}{scene_kind}",),
    # works
    "movie": ("《{title}》",),
    "book": ("《{title}》", "《{title}》", "《{title}》", "《{field}[十二讲/漫谈/入门/史话]》"),
    "game": ("《{game_title}》", "《{game_title}》", "《{title}》",
             "《{game_title}[2/OL/：重制版]》", "{game_title}"),
    "not_a_work": ("《{field}管理[办法/条例/规定]》", "《[劳动/保密/服务/租赁][协议书/合同]》", "《员工手册》",
                   "《整改通知书》"),
    # contacts
    "mobile": ("1[3/4/5/6/7/8/9]#{fake}####", "1[3/4/5/6/7/8/9]#{fake}####", "1[3/5/8]##{fake}###",
               "1[3/5/8]# {fake} ####", "1[3/5/8]#-{fake}-####"),
    "QQ": ("$#{fake}##", "$##{fake}##", "$###{fake}#", "$#{fake}", "$###{fake}##"),
    "email": ("{pinyin}{pinyin}@{domain}", "{pinyin}.{pinyin}@{domain}", "{pinyin}_{pinyin}##@{domain}",
              "{handle}{pinyin}$###@{domain}", "hr-{pinyin}~@{domain}", "{pinyin}~~##@{domain}"),
    "vx": ("{handle}_{pinyin}##", "wx_{pinyin}{pinyin}##", "{pinyin}{pinyin}$###", "{handle}-~~##",
           "{handle}{pinyin}$##", "{pinyin}-{pinyin}-##", "1[3/5/8]#{fake}####"),
    # what only looks like an entity
    "order": ("1[3/5/8]#{fake}######", "DD202#{fake}####", "202#[01/06/11]$#{fake}##"),
    "parcel": ("YT1[3/5]#{fake}#####", "7###{fake}######", "SF1{fake}########"),
    "isbn": ("978-7-####-####-#", "9787{fake}#####"),
    "hotline": ("400-{fake}-###", "0$##-$###{fake}", "800{fake}###"),
    "serial": ("$#####", "$###{fake}", "No.$####", "(202#)第$##号", "ＮＯ．$###"),
    # times and amounts
    "date": ("{day_date}", "{day_date}", "近日", "日前", "昨天", "[上周/本周][一/三/五]"),
    "day_date": ("{month}月{day}日", "{month}月{day}日", "202#年{month}月{day}日"),
    "time": ("{hour}:{minute}", "上午[八/九/十]点", "下午[两/三/四]点", "{hour}时"),
    "price": ("$#.#0", "$##", "$9.9", "$,#80"),
    "sum": ("$###元", "$,###元", "$#,###元"),
    "rent": ("$#00", "$,#50"),
    "money": ("$#万元", "$##万元", "$.#亿元"),
    "count": ("$#", "$##", "$,###"),
    "percent": ("$#%", "$.#%", "百分之[十/二十/三十]"),
}  # fmt: skip

# Overlapping labels, rare as in the CCF corpus: a share RARE_SHARE of the draws of a category uses these.
RARE_SHARE = 0.025
RARE: dict[str, tuple[str, ...]] = {
    "name": ("{surname}<position:[经理/主任/总监/教授]>",),
    "address": ("{place}市{road}$#号{company}", "{place}市{place}区{government}[东侧/对面/旁]"),
    "government": ("{place}市纪委监委驻{college}纪检监察组",),
    "organization": ("{company}工会", "{company}员工合唱团"),
    "scene": ("{city}{scenic}{scene_kind}",),
}


class Theme(NamedTuple):
    """A kind of document: an opening, some sentences of `body` in any order, and perhaps a closing."""

    openings: tuple[str, ...]
    body: tuple[str, ...]
    closings: tuple[str, ...]
