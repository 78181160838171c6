"""Patterns: what has the form, and what only looks like it."""

import random
import time
from typing import get_args

import pytest

from config import PatternCategory
from data.spans import ScoredSpan, Span, clash, place_in_text
from model.reading.patterns import PATTERNS, find_patterns, is_phone, with_patterns
from model.reading.plain_text import WITHOUT_WIDTH

CATEGORIES = ("mobile", "email", "QQ", "vx")

RIGHT = [
    ("电话：13812345678，谢谢", "mobile", "13812345678"),
    ("手机138-1234-5678。", "mobile", "138-1234-5678"),
    ("请拨+86 13812345678转", "mobile", "+86 13812345678"),
    ("电话010-62345678找王", "mobile", "010-62345678"),
    ("电话(0755)26123456找王", "mobile", "(0755)26123456"),
    ("台北02-25067711", "mobile", "02-25067711"),
    ("台湾0916991114", "mobile", "0916991114"),
    ("+886-2-2752-1874", "mobile", "+886-2-2752-1874"),
    ("香港（852）23072034", "mobile", "（852）23072034"),
    ("澳门+853 62123456", "mobile", "+853 62123456"),
    ("邮箱li.lei_2008@vip.sina.com，", "email", "li.lei_2008@vip.sina.com"),
    ("写信到a@b.cn", "email", "a@b.cn"),
    ("E-mail：x-y@mail.example.com.cn。", "email", "x-y@mail.example.com.cn"),
    ("QQ：114281231", "QQ", "114281231"),
    ("官方QQ群号 326597719，", "QQ", "326597719"),
    ("加扣扣12345", "QQ", "12345"),
    ("微信号：rachel-213", "vx", "rachel-213"),
    ("加V信 abc_1234", "vx", "abc_1234"),
    ("微信：13426245800", "vx", "13426245800"),
    ("微信是rachel_w，", "vx", "rachel_w"),
    ("姓名：张三\n微信：\n手机：13800138000", "mobile", "13800138000"),
    ("QQ：\n电话：13800138000", "mobile", "13800138000"),
    ("QQ：无 手机：13912345678", "mobile", "13912345678"),
    ("微信\t电话\t13800138000", "mobile", "13800138000"),
    ("联系我们（010-62345678）", "mobile", "010-62345678"),
    ("客服（+852 2345 6789）", "mobile", "+852 2345 6789"),
    ("+852 2345 6789 2021年", "mobile", "+852 2345 6789"),
    ("手机１３８００１３８０００", "mobile", "１３８００１３８０００"),
    ("139\u200b0000\u200b1111", "mobile", "139\u200b0000\u200b1111"),
    ("电话139\xa00000\u30001111。", "mobile", "139\xa00000\u30001111"),
    ("电话139\u20110000\u20131111。", "mobile", "139\u20110000\u20131111"),
    ("QQ\xa012345678", "QQ", "12345678"),
    ("邮箱\ufeffalice\u00ad@example.com\u200f。", "email", "alice\u00ad@example.com"),
    ("加V：linxl2020", "vx", "linxl2020"),
    ("+v lin_xl", "vx", "lin_xl"),
    ("微信同号13900001111", "mobile", "13900001111"),
    ("手机𝟭𝟯𝟴𝟬𝟬𝟭𝟯𝟴𝟬𝟬𝟬", "mobile", "𝟭𝟯𝟴𝟬𝟬𝟭𝟯𝟴𝟬𝟬𝟬"),
    ("手机1\ufe0f\u20e33800138000", "mobile", "1\ufe0f\u20e33800138000"),
    ("①13800138000②", "mobile", "13800138000"),
    ("微信：\u3164abc_1234\u3164", "vx", "abc_1234"),
    ("微信：lin\u2011xl2020", "vx", "lin\u2011xl2020"),
    ("微信号abcdef——请加", "vx", "abcdef"),
    ("联系abc——lisi@qq.com", "email", "lisi@qq.com"),
    ("邮箱li\u2010lei﹫vip﹒sina﹒com", "email", "li\u2010lei﹫vip﹒sina﹒com"),
    ("邮箱-abc@qq.com", "email", "abc@qq.com"),
    ("聯絡.Calvin-c2009@hotmail.com", "email", "Calvin-c2009@hotmail.com"),
    ("13800138000＠139.com", "email", "13800138000＠139.com"),
    ("邮箱a@firma.eu", "email", "a@firma.eu"),
    ("email:anna@mac.comTEL", "email", "anna@mac.com"),
    ("工作邮箱：12345@qq.com].Thanks", "email", "12345@qq.com"),
    ("anna@mac.com.Thanks", "email", "anna@mac.com"),
    ("ANNA@MAC.COM", "email", "ANNA@MAC.COM"),
]
WRONG = [
    "编号12345678901",  # no such prefix
    "订单号138123456789",  # twelve digits
    "身份证110101199003078515",
    "金额2345678元",
    "14112345678",  # a prefix that is not in use
    "电话0101234567",  # a digit short
    "台北00-25067711",
    "+852 4123456",
    "作者@张三",
    "a@b",
    "文件x@y.docx",
    "114281231",  # nobody said QQ
    "QQ音乐上有2345678首歌",  # too far from it
    "QQ：012345",
    "微信：ab",  # too short
    "微信支付，account123",  # another clause
    "微信用户为120000000人",  # an amount
    "微信支付：100000元",
    "QQ会员：10000元",
    "微信Android版",
    "a@b.COMPANY",
    "139\n0000\n1111",
    "QQ\u202812345678",
    "tina21@gmail.comzz@sina.com",  # where one ends and the other begins nobody can tell
]


@pytest.mark.parametrize(("text", "category", "expected"), RIGHT)
def test_what_has_the_form_is_found(text, category, expected):
    assert [(span.category, text[span.begin : span.end + 1]) for span in find_patterns(text, CATEGORIES)] == [
        (category, expected)
    ]


@pytest.mark.parametrize("text", WRONG)
def test_what_only_looks_like_it_is_not(text):
    assert find_patterns(text, CATEGORIES) == []


def test_settings_know_all_categories_that_have_patterns():
    assert set(get_args(PatternCategory)) == {pattern.category for pattern in PATTERNS}


def test_an_account_of_both_is_both():
    assert [span.category for span in find_patterns("QQ｜微信：1827967769", CATEGORIES)] == ["QQ", "vx"]


def test_a_phone_that_is_an_account_too_is_both():
    found = find_patterns("电话（微信同号）：13800138000", CATEGORIES)
    assert [span.category for span in found] == ["mobile", "vx"]


def test_only_the_categories_asked_for_are_found():
    text = "电话13812345678，邮箱a@b.cn"
    assert [span.category for span in find_patterns(text, ["email", "name"])] == ["email"]
    assert find_patterns(text, []) == []


@pytest.mark.parametrize("number", ["", "0", "86", "886", "852", "+", "00000000000", "1" * 30])
def test_odd_numbers_are_no_phones(number):
    assert not is_phone(number)


def ignored_characters():
    return [character for character in map(chr, [*range(0x30000), *range(0xE0000, 0xE1000)])
            if WITHOUT_WIDTH.fullmatch(character)]  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_characters_without_width_change_no_span(seed):
    """The oracle removes them, finds the spans, and counts back through the text character by character."""
    draw = random.Random(seed)
    thin = ignored_characters()
    plain = "，".join(text for text, _, _ in draw.sample(RIGHT, 6))
    plain = "".join(character for character in plain if character not in thin)
    text = "".join("".join(draw.choices(thin, k=draw.choice([0, 0, 1, 3]))) + character for character in f"{plain}。")
    visible = [place for place, character in enumerate(text) if character not in thin]
    expected = [
        Span(category, visible[begin], visible[end]) for category, begin, end in find_patterns(plain, CATEGORIES)
    ]
    found = find_patterns(text, CATEGORIES)
    assert found == expected and found
    assert not any(text[place] in thin for span in found for place in (span.begin, span.end))


@pytest.mark.parametrize("seed", range(40))
def test_patterns_back_up_what_they_do_not_clash_with_and_override_the_rest(seed):
    """The oracle compares every span of a pattern with every span of the model."""
    draw = random.Random(seed)
    text = "，".join(text for text, _, _ in draw.sample(RIGHT, 6))
    begins = [draw.randrange(len(text)) for _ in range(6)]
    spans = [ScoredSpan(draw.choice([*CATEGORIES, "name"]), begin, min(begin + draw.randrange(9), len(text) - 1), 0.5)
             for begin in begins]  # fmt: skip
    back_up, override = (draw.sample(CATEGORIES, 2) for _ in range(2))
    kept = [span for span in spans if span.category not in override]
    for span in find_patterns(text, [*back_up, *override]):
        if span.category in override or not any(clash(span, other) for other in kept):
            kept.append(ScoredSpan(*span, 1.0))
    assert with_patterns(text, spans, back_up, override) == sorted(kept, key=place_in_text)


@pytest.mark.parametrize(
    "piece",
    ["\u200b", "1", "a", "0", "-", " ", "a@", "QQ", "微信", "86", "+v", "1\u200b", "\u00a0", "a..", "_--", "a.@"],
)
def test_time_grows_with_the_length_only(piece):
    def seconds(length):
        text = piece * (length // len(piece))
        started = time.process_time()
        find_patterns(text, CATEGORIES)
        return time.process_time() - started

    seconds(1000)
    short = max(min(seconds(20_000) for _ in range(3)), 1e-3)
    assert seconds(160_000) < 40 * short, "eight times the length; four times eight would be quadratic"
