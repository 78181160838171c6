"""The kinds of documents of the sample corpus, as sentences in the markup of `grammar.py`."""

from __future__ import annotations

from data.sample.grammar import Theme

CONTACT = (
    "[如有疑问/欲知详情]，请[联系/咨询]{name}，手机{mobile}，邮箱{email}。",
    "[联系人/对接人]：{name}，[电话/联系电话]：{mobile}，[QQ/QQ号]：{QQ}。",
    "[有意者/感兴趣的朋友]可[添加/加]微信{vx}[，或致电{mobile}/，备注姓名/]。",
    "材料请发至{email}，[逾期不候/邮件标题注明姓名]。",
    "[也可以/大家可以]加QQ：{QQ}[交流/咨询/了解更多情况]。",
    "\n联系人：{name}\n手机：{mobile}\n微信：{vx}",
    "\n电子邮箱：{email}\nQQ：{QQ}",
)

# Sentences for any document. Most of them hold something that only looks like an entity.
ANYWHERE = (
    "订单编号{order}，[发货/下单]时间为{date}{time}。",
    "客服热线{hotline}，[工作日九点至十八点/全天]均可拨打。",
    "物流单号{parcel}，预计三日内送达。",
    "合同编号{serial}，一式两份，双方各执一份。",
    "各部门经理须在周五之前提交计划，公司不再另行通知。",
    "公司规定，凡入职满一年的员工均可申请调岗。",
    "登录时请输入验证码######，[请勿/切勿]告诉他人。",
    "邮政编码：######，传真：{hotline}。",
    "付款账户尾号为####，[流水号/交易号]{order}。",
    "详情见官网 www.example.com/news/{serial} 。",
    "依照{not_a_work}的有关条款，[上述事项/相关工作]自{day_date}起执行。",
    "[据介绍/据了解]，[当地的政府部门/有关协会/不少企业]已经[着手研究/开始行动]。",
    "现场[循环播放着/响起了]歌曲《{title}》，[气氛热烈/不少人跟着哼唱]。",
    "经理和主管们[普遍认为/都说]，这样的安排[较为稳妥/还需要时间检验]。",
    "[型号/规格]为 wx-$00 的样品已[入库/送检]，批次号{serial}。",
    "[共有/累计]{count}人[参加/报名]，[同比增长{percent}/人数创下新高]。",
    "［注］以上数字截至{day_date}，精确到个位。",
)

BUSINESS = Theme(
    openings=(
        "{date}，{company1}在{city1}[宣布/对外公布]，{name1}出任{position1}，[即日起生效/任期三年/接替已经离任的{name2}]。",
        "{company1}{position1}{name1}{date}在接受采访时[表示/透露/说]，公司今年的营收有望突破{money}。",
        "{company1}与{company2}{date}在{city1}签署[战略合作/框架]协议，[合作期限为三年/涉及金额{money}]。",
        "记者{date}从{company1}获悉，该公司位于{address1}的新厂房已经[竣工/投产/通过验收]。",
        "[又一家企业完成融资/资本市场再添新面孔]：{company1}{date}宣布获得{company2}领投的{money}[A/B/C]轮融资。",
    ),
    body=(
        "{name1}认为，[行业正在回暖/竞争将更加激烈/客户的需求已经改变]，[企业要把产品做扎实/谁先降低成本谁就能活下来]。",
        "此前，{name1}曾在{company3}担任{position}，[有着十多年的管理经验/主导过多个大型项目]。",
        "{company2}{position2}{name2}[也出席了仪式/补充说，双方的团队早已开始磨合]。",
        "{company1}的总部设在{address1}，[现有员工{count}人/在{city}和{city}设有分公司]。",
        "{college}{scholar}{name}分析说，这类公司的估值[已经偏高/仍有上升空间]。",
        "公告显示，{company1}去年净利润{money}，同比[增长/下降]{percent}。",
        "{government}的{officer}{name}到场[致辞/祝贺]，并[介绍了当地的优惠政策/希望企业多吸纳本地青年就业]。",
        "今年以来，{company}、{company}和{company}相继[裁员/扩产/调整价格]，[市场反应不一/引起业内关注]。",
        "公司还向{association}捐赠了{money}，用于[乡村图书室/困难学生/古树保护]。",
        "{position}{name}则提醒[同行/投资者]，[汇率的波动不可忽视/原料价格还会上涨]。",
    ),
    closings=("[业内人士/分析人士]普遍看好这一[变化/合作]。", "截至发稿，{company1}[未作更多回应/股价上涨{percent}]。",
              "媒体垂询：{email}。"),
)  # fmt: skip

RECRUITMENT = Theme(
    openings=(
        "{company1}因业务发展需要，现[诚聘/招聘]{position1}[两名/若干名]，工作地点：{address1}。",
        "【招聘】{company1}急招{position1}，[月薪{rent}元/五险一金/双休]，学历要求{degree}。",
        "招聘启事\n单位：{company1}\n岗位：{position1}\n地点：{address1}\n",
        "{college1}面向社会公开招聘{scholar1}，[年薪$#万元/待遇从优]，[报名截止到{day_date}/名额有限]。",
        "{company1}2023届校园招聘正式启动📢，{day_date}将在{college}举行宣讲会，{position1}{name1}到场答疑。",
    ),
    body=(
        "岗位职责：协助{position}制定[年度计划/预算]，[维护客户关系/跟进项目进度]。",
        "有{company}、{company}等同行业工作经验者优先。",
        "任职要求：{degree}学历，[沟通能力强/能适应出差/熟练使用 Excel 和 Python]。",
        "简历请发送至{email}，[合适者三日内通知面试/请勿重复投递]。",
        "面试地点在{address1}，[请携带身份证/乘地铁到站后步行五分钟]，面试官为{position}{name}。",
        "[咨询电话/报名电话]：{mobile}（{name}），微信同步咨询：{vx}。",
        "同时招聘{position}一名、{position}三名，[实习生亦可/应届生亦可]。",
        "入职后由{name}带教，转正前需熟读{not_a_work}。",
        "应聘者可加QQ{QQ}[索取报名表/查询进度]，也可写信到{email}。",
        "公司提供班车，往返于{landmark}和{landmark}之间，[住得远的同事不用担心/早晚各一班]。",
    ),
    closings=CONTACT,
)  # fmt: skip

NOTICE = Theme(
    openings=(
        "各位[业主/家长/会员]：{day_date}{time}将在{address1}举行[座谈会/交流会]，由{name1}主持。",
        "通知：{association1}年会定于{day_date}在{city1}召开，{clubman}{name1}将[作主题报告/致开幕词]。",
        "亲爱的同学们[😊/，/！]{college1}[学生会/社团联]的[招新/义卖/读书会]开始啦，地点就在{address1}。",
        "{organization1}{date}发布公告，[报名时间延长一周/活动改为线上举行]，负责人为{name1}。",
        "［温馨提示］{company1}会员中心已搬迁至{address1}，[带来不便敬请谅解/欢迎光临]🙏。",
    ),
    body=(
        "报名请联系{name}，手机号{mobile}，[截止到{day_date}/额满为止]。",
        "[没有收到短信的/已经缴费的]会员请把姓名和单位发到{email}。",
        "活动群的QQ号是{QQ}，[入群请改备注/进群后请看公告]。",
        "工作人员{name}的微信是{vx}，[有急事可以直接找她/周末也在线]。",
        "{organization}和{organization}将派代表参加，[带队的是{name}/共$#人]。",
        "{name}（手机{mobile}）负责接站，{name}（手机{mobile}）负责住宿。",
        "特邀嘉宾有{college}的{name}、{company}的{position}{name}以及作家{name}。",
        "会后将组织参观{scene}，[费用自理/往返约三小时]。",
        "所需材料可在{address}领取，也可发邮件到{email}索取电子版。",
        "每位到场者将获赠图书{book}一册，[先到先得/数量有限]✨。",
    ),
    closings=CONTACT,
)  # fmt: skip

FILM = Theme(
    openings=(
        "由{name1}执导、{name2}主演的电影{movie1}{date}[上映/定档/杀青]，[首日票房{money}/口碑不俗]。",
        "影片{movie1}{date}在{city1}举行首映礼，{filmmaker}{name1}携主演{name2}、{name3}亮相。",
        "{studio1}出品的{movie1}发布预告片，[画面阴郁克制/全片以方言拍摄/片长1$#分钟]。",
        "看完{movie1}走出影院，[我半天说不出话来/心里久久不能平静]。",
        "根据{name4}小说<book:《{title1}》>改编的电影<movie:《{title1}》>{date}开机，{filmmaker}为{name1}。",
    ),
    body=(
        "{name2}在片中饰演一位[退休的警察/失去记忆的母亲/乡村邮递员]，[表演层次分明/几场哭戏令人动容]。",
        "{name1}上一部作品{movie2}曾[入围多个影展/收获{money}票房]，[而{movie3}则反响平平/这次他换了一种讲法]。",
        "影片在{scene1}取景，[剧组在山里住了三个月/清晨的雾都是真的]。",
        "{studio1}{position}{name}说，续集[正在筹备/要看票房再定]。",
        "与同期上映的{movie}相比，这部影片[节奏更慢/更讲究光影/胜在剧本]。",
        "{filmmaker}{name3}透露，原著{book1}他[读了三遍/一直放在床头]。",
        "[这部电影/这部片子]没有大明星，[却靠口碑逆袭/排片不足两成]，{name1}对此[早有准备/并不在意]。",
        "影评人{name}打了八分：[结尾稍显仓促/配乐是全片最好的部分]，[比{movie}好看/值得再看一遍]。",
        "{day_date}，{movie1}将赴{city}参加{place}电影节，[与{movie}角逐最佳影片/随后在全国放映]。",
        "同名手机游戏{game}也[将同步上线/已开放预约]，由{developer}开发。",
    ),
    closings=("如果周末有空，不妨去看看。", "你最期待哪一部？欢迎留言🎉", "{studio1}保留最终解释权。"),
)  # fmt: skip

GAME = Theme(
    openings=(
        "{developer1}{date}宣布，旗下[手游/网游/新作]{game1}[开启公测/将于下月停服/全球下载量突破{count}万]。",
        "[玩家/网友]期待已久的游戏{game1}终于[上线/登陆主机平台]，[开服当天服务器一度瘫痪/好评率{percent}]。",
        "最近迷上了{game1}，[每天都要打到半夜/连周末都不想出门]🔥，[谁来组队/求带]。",
        "{date}，电子竞技比赛{game1}总决赛在{city1}落幕，{game_club1}以三比一战胜{game_club2}夺冠。",
        "{game1}制作人{name1}发表公开信，[就抽卡概率争议致歉/回顾了五年来的开发历程]。",
    ),
    body=(
        "和前作{game2}相比，这款游戏[画面更细腻/战斗更爽快/剧情更长]，[但优化很差/新手也容易上手]。",
        "{game_club1}的{coach}{name2}赛后说，[队员发挥稳定/版本更新打乱了计划]。",
        "{developer1}{position}{name1}[透露/表示]，新版本将加入[钓鱼玩法/多人副本/剧情回忆]。",
        "公会群QQ：{QQ}，[每晚八点开团/长期收人]，[划水的别来/欢迎萌新]。",
        "[出/转让]一个{game1}的满级账号，[价格{price}/可小刀]，加微信{vx}。",
        "同类游戏里，{game}偏重[剧情/策略]，{game}偏重[社交/操作]，[各有千秋/就看你喜欢什么]。",
        "主播{name}连续直播$#小时玩{game1}，[观众超过{count}万/打破了平台纪录]。",
        "充值不到账的玩家请把订单号{order}发到客服邮箱{email}。",
        "{game1}的世界观取材于小说{book}，[设定相当完整/美术则参考了{scene}]。",
        "传闻{game1}要拍成电影{movie}，{developer1}[没有否认/回应称一切以公告为准]。",
    ),
    closings=("[更新时间/维护时间]：{day_date}{time}。", "公测邀请码：~~~~-####-~~~~，先到先得🎉。",
              "BUG反馈请加QQ{QQ}。"),
)  # fmt: skip

BOOK = Theme(
    openings=(
        "{publisher1}{date}推出{name1}的新书{book1}，[首印{count}册/上市一周即加印]。",
        "[读完/合上]{book1}，[窗外已经下起了雨/我又翻回了第一页]。作者{name1}的文字[干净利落/絮絮叨叨却有温度]。",
        "{date}，作家{name1}携长篇小说{book1}做客{city1}书展，与{pressman}{name2}对谈。",
        "{name1}所著{book1}由{publisher1}出版，ISBN {isbn}，定价{price}元。",
        "读书会第$#期，我们共读{name1}的{book1}，[主讲人是{name2}/欢迎带书前来]。",
    ),
    body=(
        "这本书以{city1}为背景，讲述[一家三代人的故事/一名钟表匠的一生/两个家族的恩怨]。",
        "书中写到{scene}的那一章[尤其动人/最见功力]，[作者曾在那里住了半年/我读了好几遍]。",
        "{pressman}{name2}说，{book1}的[初稿有四十万字/书名改过七次]。",
        "{name1}此前出版过{book2}和{book3}，[均入选年度书单/后者被译成多种语言]。",
        "{college1}{scholar}{name3}评价道，{book1}[填补了{field}研究的空白/可与{book}对照来读]。",
        "有读者把它同{name}的{book}相比，[认为两者气质相近/但{name1}更为克制]。",
        "书号{isbn}，[开本三十二开/共$##页]，[各大书店有售/电子版同步上架]。",
        "{studio}已买下{book1}的影视版权，[电影暂名{movie}/预计明年开机]。",
        "{association}将把年度奖授予{book1}，颁奖礼{day_date}在{city}举行。",
        "团购请联系{publisher1}的{name}，邮箱{email}，[十册以上八折/满百包邮]。",
    ),
    closings=("[推荐指数/我的评分]：四星半📚。", "下期共读书目：{book}。", "勘误请寄{email}。"),
)  # fmt: skip

CONTRACT = Theme(
    openings=(
        "甲方：{company1}，地址：{address1}；乙方：{name1}，[住址：{address2}/手机：{mobile}]。",
        "甲方（出租方）：{name1}\n乙方（承租方）：{company1}\n房屋坐落：{address1}\n",
        "{company1}（以下简称甲方）委托{company2}（以下简称乙方）[承办年会/开发软件系统/运输货物]，合同金额{money}。",
        "兹有{company1}授权{name1}为代理人，[职务为{position1}/身份证尾号####]，办理[投标/年检]事宜。",
    ),
    body=(
        "甲方指定{position1}{name1}为联系人，电话{mobile}，电子邮箱{email}。",
        "乙方应于{day_date}前将货物送至{address2}，由{name2}签收。",
        "付款方式：签约后支付{money}，余款在验收后七日内付清，[开户名为{company1}/账号尾号####]。",
        "因履行本合同发生争议，双方同意提交{government}[裁决/调解]。",
        "乙方变更联系方式的，应书面告知甲方；现用微信：{vx}，手机：{mobile}。",
        "未经甲方同意，乙方不得将项目转包给{company}等第三方公司。",
        "双方另签{not_a_work}作为附件，[与本合同具有同等效力/编号{serial}]。",
        "乙方项目经理应常驻现场，[每周提交报告/不得擅自更换]。",
        "验收由{company1}的{position}{name}和{company2}的{position}{name}共同进行。",
    ),
    closings=("甲方代表：{name}  乙方代表：{name}  日期：{day_date}", "签署地：{city}。", "本合同自{day_date}起生效。"),
)  # fmt: skip

COMPLAINT = Theme(
    openings=(
        "投诉人{name1}反映，{date}在{company1}购买的{product}[用了三天就坏了/与宣传不符]，订单号{order}。",
        "我叫{name1}，家住{address1}，{date}向{company1}[交了{sum}定金/报名培训班]，至今[没有退款/无人处理]。",
        "网友来信：{landmark}附近的{company1}[夜间施工噪声扰民/排放异味]，[居民苦不堪言😭/多次反映无果]。",
        "客服：您好，请问有什么可以帮您？\n用户：我在{company1}买的{product}[一直没有收到/漏发了配件]，快递单号{parcel}。",
    ),
    body=(
        "我的手机号是{mobile}，[请尽快回电/方便的话今天就联系我]，也可加我微信{vx}。",
        "店里的{position}{name2}[态度恶劣/答应三天内退款，后来却把我拉黑了]。",
        "我已向{government1}[投诉/递交材料]，[受理编号{serial}/工作人员{name}接待了我]。",
        "收货地址写的是{address}，[快递员却放到了{landmark}的代收点/实际送错了地方]。",
        "{company1}回复称，[商品已过保修期/退款将在七日内到账]，如有异议可写信至{email}。",
        "{government1}{officer}{name}表示，[已责令商家整改/将依法处理]。",
        "同样受骗的还有{name}和{name}，[三人合计损失{sum}/大家建了个QQ群：{QQ}]。",
        "客服让我加QQ{QQ}办理退款，[结果对方要我先交手续费/我觉得不对劲就没有理会]。",
        "付款时显示的收款方是{company2}，[并不是{company1}/金额{sum}]，交易号{order}。",
        "我上网一查，{company1}的法定代表人{name}还开着另外几家公司。",
    ),
    closings=("恳请有关部门[核实/处理]，谢谢🙏。", "投诉人电话：{mobile}。", "来信人：{name1}，邮箱{email}。"),
)  # fmt: skip

TOURISM = Theme(
    openings=(
        "{date}，我和朋友去了{city1}的{scene1}，[门票{price}元/人不算多]，[风景美得不像话/值得一去]。",
        "{scene1}位于{city1}[北部/郊外/以西四十公里处]，[始建于宋代/是国家四星级景区]。",
        "{government1}{date}公布假日数据：{scene1}、{scene2}和{scene3}接待游客{count}万人次。",
        "三天两夜攻略✨：第一天游{scene1}，第二天登{scene2}，[第三天返程/夜宿民宿]。",
        "正在举行的{place}旅游节上，{scene1}[首次开放夜游/推出半价门票]，[吸引了不少游客/一票难求]。",
    ),
    body=(
        "游完{scene1}再去{scene2}，[乘车大约四十分钟/沿途都是梯田]，[傍晚的光线最好/记得带一件外套]。",
        "导游{name1}告诉我们，{scene1}[因一首古诗得名/曾是茶马古道上的驿站]。",
        "我们订的民宿在{address1}，老板{name}[很热情/会做一手好菜]，订房可加微信{vx}。",
        "包车找{name}师傅，手机{mobile}，[一天{rent}元/走山路很稳]。",
        "电影{movie}就是在{scene2}拍的，[海报还贴在售票处/影迷们纷纷来打卡]。",
        "{scene1}管理处负责人说，[景区将限流/索道检修到{day_date}]，[请游客错峰出行/退票不收手续费]。",
        "出发前我在书店买了{book}，[书里写的{scene}与眼前所见不大一样/在路上正好读完]。",
        "{company}计划投资{money}改造{scene2}[周边的老街/的停车场]。",
        "游客若要讲解，可提前预约：{mobile}，或发邮件至{email}。",
        "从{city}自驾过来的{name}一家[在湖边扎了帐篷/连呼不虚此行]。",
    ),
    closings=("总的来说，下次还会再来👍。", "[同行/拼车]请加QQ{QQ}。", "小贴士：山上信号不好，请提前下载地图。"),
)  # fmt: skip

MINUTES = Theme(
    openings=(
        "会议纪要\n时间：{day_date}{time}\n地点：{address1}\n主持人：{name1}\n出席：{name2}、{name3}、{name4}\n",
        "{date}，{company1}召开[季度例会/项目协调会]，{position1}{name1}主持，{position2}{name2}、{position3}{name3}参加。",
        "{association1}{date}在{city1}举行理事会，{clubman}{name1}[作工作报告/通报财务情况]。",
    ),
    body=(
        "{name2}汇报了与{company2}的谈判进展，[对方要求降价{percent}/合同有望月底签订]。",
        "{name3}提出，[预算超支{money}/人手不足]，建议[从{company}借调/推迟上线]。",
        "会议决定：由{name4}负责联系{government}，[办理许可/补交材料]，{month}月{day}日前完成。",
        "{position2}{name2}指出，[库存过高/客户投诉增多]，[各部门经理要逐项整改/公司将成立专门小组]。",
        "会上还讨论了赞助{association}[年会/摄影展]一事，[原则同意/暂缓]。",
        "{name1}最后强调，[安全无小事/要把{not_a_work}落到实处]。",
        "纪要发至{email}，[有异议请三日内提出/抄送全体]。",
        "下次会议定于{month}月{day}日{time}，地点改在{address}，[请假请告知{name}/电话{mobile}]。",
        "经表决，同意聘任{name}为{position}，免去{name}{position}职务。",
    ),
    closings=("记录人：{name}", "抄送：{government}、{organization}", "（会议于{time}结束）"),
)  # fmt: skip

BULLETIN = Theme(
    openings=(
        "{government1}{date}通报，[查处一起虚假广告案/抽检不合格食品{count}批次]，涉及{company1}等企业。",
        "{date}，{court}公开审理了{company1}诉{company2}[侵权/合同]纠纷一案，{judge}{name1}[主持庭审/宣读了判决]。",
        "经{government1}批准，{address1}将[新建一所小学/实施交通管制]，[工期两年/请车辆绕行]。",
        "{government1}{officer1}{name1}{date}到{organization1}[调研/检查消防安全]。",
        "{government1}联合{government2}在{city1}开展[普法宣传/安全检查]活动。",
    ),
    body=(
        "{government2}{officer}{name2}介绍，[举报电话{hotline}全天畅通/违规企业将被列入名单]。",
        "经查，{company1}法定代表人{name3}[伪造检验报告/拖欠工资{sum}]，[已被依法拘留/案件仍在审理]。",
        "市民{name}说，[以后办事方便多了/家门口的路终于修好了]，他家就在{landmark}边上。",
        "{government1}提醒，[凡自称公司经理要求转账的都是诈骗/请妥善保管验证码]，线索可发至{email}。",
        "{organization1}{clubman}{name}[陪同调研/汇报了整改情况]。",
        "公示期间如有异议，请致{government1}，联系人{name}，手机{mobile}。",
        "判决书认定，{company2}未经许可使用{name}创作的小说{book}，应赔偿{sum}。",
        "被告人{name}，原系{company}{position}，[因涉嫌职务侵占被起诉/当庭表示不上诉]。",
        "{scene}因暴雨[临时关闭/出现滑坡]，{government2}已组织抢修。",
        "通告全文编号{serial}，自{day_date}起施行，由{government1}负责解释。",
    ),
    closings=("（来源：{government1}）", "特此[公告/通告]。", "{government1}\n{day_date}"),
)  # fmt: skip

SOCIETY = Theme(
    openings=(
        "{date}，{club1}在主场迎战{club2}，[最终二比一取胜/双方一比一握手言和]，{name1}打入制胜一球。",
        "{college1}与{association1}联合主办的{field}论坛{date}在{city1}开幕。",
        "{club1}官方宣布，{name1}出任{coach}，[合同为期两年/将随队前往{city1}集训]。",
        "{college1}的[师生/志愿者]{date}走进{landmark1}，[为老人义诊/清理河道垃圾]。",
        "{college1}{scholar1}{name1}[获得年度科研奖/团队发现一种新型材料]，[研究历时八年/成果已发表]。",
    ),
    body=(
        "{coach}{name2}赛后[承认/表示]，[球队运气不错/伤病影响了状态]，下一轮将客场对阵{club}。",
        "{name1}毕业于{college}，[后到{organization}工作/师从{name}]。",
        "{organization}派出$#人[到场支援/观摩学习]，领头的{name}是{college}的大三学生。",
        "{company}为活动提供了[{money}赞助/全部物资]，{position}{name}[到场颁奖/亲自搬运]。",
        "[来自/代表]{association}的{name}[作了题为《{field}与生活》的讲座/展示了三十幅作品]。",
        "{college1}校友、{company}{position}{name}回忆说，[当年食堂的饭菜最难忘/是老师改变了他的一生]。",
        "比赛间隙，{club2}的球迷还去了{scene}，[晒出大量合影/直呼过瘾]💪。",
        "活动得到{government}支持，{officer}{name}[出席闭幕式/为获奖者颁奖]。",
        "想加入{college1}社团的同学可加QQ{QQ}，或找{name}报名，手机{mobile}。",
        "图书馆同时展出{name}捐赠的{book}和{book}，[均为初版/展期一个月]。",
    ),
    closings=("[供稿/摄影]：{name}", "下一场比赛：{day_date}{time}。", *CONTACT[:2]),
)  # fmt: skip

CLASSIFIED = Theme(
    openings=(
        "【转租】{address1}，[两室一厅/主卧带阳台]，月租{rent}元，[押一付三/可短租]，手机{mobile}。",
        "出售二手{product}，[九成新/仅拆封]，{price}元，[同城面交/可邮寄]，联系微信{vx}。",
        "寻物启事：本人{name1}{date}在{landmark1}附近遗失[钱包/相机]一个，[内有证件/对我很重要]。",
        "寻找搭子[！/～]{day_date}从{city1}出发去{scene1}，[车上还有两个位置/AA制]，加QQ：{QQ}。",
        "家教：{college1}在读学生，[可教初中数学/英语六级]，上门范围{landmark}一带，电话{mobile}。",
    ),
    body=(
        "微信号{vx}，[加的时候请说明来意/非诚勿扰]，电话打不通就发短信。",
        "QQ {QQ}，邮箱 {email}，[上班时间可能回复较慢/随时在线]。",
        "捡到的朋友请联系{name1}，手机{mobile}，[必有重谢/当面感谢]🙏。",
        "房子离{landmark}[只有一站路/步行十分钟]，楼下就是超市，看房请提前联系{name}。",
        "闲置图书{book}、{book}各一本，[十元一本/免费送]，[自取地址/取书地点]：{address}。",
        "[另有/还有]正版游戏{game}一张，[换{game}/不单卖]。",
        "本人在{company}上班，职务是{position}，[绝非中介/可提供工作证明]。",
        "[多余/富余]的{movie}电影票两张，{day_date}{time}场次，[原价转/请我喝杯奶茶就行]，V信{vx}。",
        "价格{price}，[谢绝还价/可议]，商品编号{serial}，收款码找{name}要，微信{vx}。",
    ),
    closings=("[长期有效/先到先得]。", "勿扰中介！", *CONTACT[:5]),
)  # fmt: skip

THEMES = (
    BUSINESS, RECRUITMENT, NOTICE, FILM, GAME, BOOK, CONTRACT, COMPLAINT, TOURISM, MINUTES, BULLETIN, SOCIETY,
    CLASSIFIED,
)  # fmt: skip
