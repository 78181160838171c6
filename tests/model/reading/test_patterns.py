"""Patterns: what has the form, and what only looks like it."""

from typing import get_args

import pytest

from config import PatternCategory
from model.reading.patterns import PATTERNS, find_patterns, is_phone

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
