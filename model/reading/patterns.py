"""Patterns for phone numbers, mail addresses, QQ and WeChat accounts: their form, number plan and context.

    | category | form                                             | checks                                           |
    |----------|--------------------------------------------------|--------------------------------------------------|
    | mobile   | 11 digits from 13 to 19, with or without +86;    | prefix in the mainland's number plan, area code; |
    |          | area code and number; +886, +852, +853           | lengths of Taiwan, Hong Kong and Macao; no word  |
    |          |                                                  | for QQ or WeChat before it                       |
    | email    | name@host.domain                                 | the last part is a domain of a list              |
    | QQ       | 5 to 11 digits, the first not 0                  | a word for QQ before it; not an amount           |
    | vx       | 6 to 20 letters, digits, _ and -                 | a word for WeChat before it; begins with a       |
    |          |                                                  | letter, or is a mobile or QQ number; not an      |
    |          |                                                  | amount; letters alone need a sign before them    |

Number plans: China's Telecommunications Network Numbering Plan (MIIT, 2017, with the prefixes in use in 2024), ITU-T
E.164 national plans of 852, 853 and 886. QQ and WeChat: what Tencent allows for a new account.

Patterns read a text without characters that have no width, and with one form for each digit, letter, dash and blank
(plain_text.py). Offsets are those of the text as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from data.spans import AnySpan, ScoredSpan, Span, place_in_text, sorted_spans
from model.reading.plain_text import plain_text


class Pattern(NamedTuple):
    """A regular expression, whose group `span` is the span, and a check of the text and the match."""

    category: str
    form: re.Pattern[str]
    holds: Callable[[str, re.Match[str]], bool]


# --------------------------------------------------------------------------------------------------------- number plan

MAINLAND = {
    *range(130, 140), 145, 146, 147, 148, 149, *range(150, 154), *range(155, 160), 162, 165, 166, 167,
    *range(170, 179), *range(180, 190), 190, 191, 192, 193, 195, 196, 197, 198, 199,
}  # fmt: skip
DOMAINS = [
    "com.cn", "net.cn", "org.cn", "gov.cn", "edu.cn", "ac.cn", "com.tw", "com.hk", "org.tw", "edu.tw", "com.sg",
    "co.jp", "co.kr", "co.uk", "com", "net", "org", "edu", "gov", "cn", "tw", "hk", "mo", "sg", "jp", "kr", "uk", "us",
    "ca", "au", "nz", "de", "fr", "es", "it", "nl", "be", "ch", "at", "se", "no", "dk", "fi", "pl", "pt", "ie", "eu",
    "ru", "in", "my", "th", "vn", "ph", "id", "br", "mx", "za", "ae", "me", "cc", "tv", "io", "ai", "co", "info", "biz",
    "asia", "mobi", "vip", "top", "xyz", "shop", "online", "site", "club", "pro", "name", "app", "dev", "tech", "store",
    "xin", "wang", "ltd", "group", "work", "link", "live", "email", "cloud", "fun", "studio", "design", "world",
]  # fmt: skip


def is_phone(number: str) -> bool:
    """Whether a number follows the plan of the mainland, Taiwan, Hong Kong or Macao; marks between digits may stay."""
    digits = re.sub(r"\D", "", number)
    if digits.startswith("86") and len(digits) > 11:
        digits = digits[2:].removeprefix("0") if digits[2:3] != "1" else digits[2:]
        return _is_mainland_mobile(digits) or _is_area_and_number("0" + digits)
    if digits.startswith("886"):
        return _is_taiwanese("0" + digits[3:].removeprefix("0"))
    if digits.startswith("852"):
        return len(digits) == 11 and digits[3] in "235679"
    if digits.startswith("853"):
        return len(digits) == 11 and digits[3:5] in ("28", "62", "63", "65", "66", "68")
    return _is_mainland_mobile(digits) or _is_area_and_number(digits) or _is_taiwanese(digits)


def _is_mainland_mobile(digits: str) -> bool:
    return len(digits) == 11 and int(digits[:3]) in MAINLAND


def _is_area_and_number(digits: str) -> bool:
    """010 and 02x have numbers of 8 digits. Other area codes have 4 digits, and numbers of 7 or 8 digits.

    Numbers begin with 2 to 8.
    """
    area = digits[:3] if digits[:3] == "010" or digits[:2] == "02" else digits[:4]
    number = digits[len(area) :]
    if not number or number[0] not in "2345678":
        return False
    if len(area) == 3:
        return len(number) == 8
    return bool(re.fullmatch(r"0[3-9]\d\d", area)) and len(number) in (7, 8)


def _is_taiwanese(digits: str) -> bool:
    """Mobile numbers are 09 and eight digits. Others begin with 02 to 08 and have nine or ten digits."""
    if digits[:2] == "09":
        return len(digits) == 10
    return len(digits) in (9, 10) and digits[0] == "0" and digits[1] in "2345678" and digits[2] != "0"


# ------------------------------------------------------------------------------------------------------------- context

# The word is right before the number, or up to seven characters earlier if a sign such as ： is right before the
# number, as in QQ交流群： and 微信公众帐号：. A new line, another clause or a word for telephones ends its reach.
_PHONE = r"(?:电话|電話|手机|手機|座机|热线|熱線|传真|傳真|tel|phone|mobile)"
_THEN = rf"(?:(?:(?!{_PHONE})[^0-9a-z，。；;、\r\n\t]){{0,7}}[群号號码是为為：: ])?$"
OF_QQ = re.compile(rf"(?:qq|扣扣|企鹅|加q|作q|群q){_THEN}", re.IGNORECASE)
_WECHAT = r"(?:微信|微訊|薇信|威信|v信|wechat|weixin|(?<![a-z])(?:vx|wx)|(?:加我?|[+➕])v(?![a-z]))"
OF_WECHAT = re.compile(_WECHAT + _THEN, re.IGNORECASE)
SAME_NUMBER = re.compile(f"{_WECHAT}同[号號]{_THEN}", re.IGNORECASE)  # a phone number follows, even if no word says so
OF_PHONE = re.compile(rf"{_PHONE}[^0-9，。；;、\r\n\t]{{0,12}}$", re.IGNORECASE)
AMOUNT = re.compile(r" ?(?:[元块圆万萬亿億名位首次条條款台部张張年月天岁%]|人(?!人)|[个個](?!人))")
SIGN = re.compile(r"[号號码是为為：: ]$")


def _is_before(what: re.Pattern[str], text: str, match: re.Match[str]) -> bool:
    return bool(what.search(text[max(0, match.start("span") - 16) : match.start("span")]))


def _is_amount(text: str, match: re.Match[str]) -> bool:
    return match["span"].isdecimal() and bool(AMOUNT.match(text, match.end("span")))


def _is_qq(text: str, match: re.Match[str]) -> bool:
    return _is_before(OF_QQ, text, match) and not _is_amount(text, match)


def _is_wechat(text: str, match: re.Match[str]) -> bool:
    # Ordinary words, such as Android, also follow 微信 directly.
    clear = not match["span"].isalpha() or _is_before(SIGN, text, match)
    return clear and _is_account_of_wechat(text, match) and not _is_amount(text, match)


def _is_account_of_wechat(text: str, match: re.Match[str]) -> bool:
    only_a_phone = _is_before(SAME_NUMBER, text, match) and not _is_before(OF_PHONE, text, match)
    return _is_before(OF_WECHAT, text, match) and not only_a_phone


def _is_known_phone(text: str, match: re.Match[str]) -> bool:
    of_account = _is_before(OF_QQ, text, match) or _is_account_of_wechat(text, match)
    # 电话（微信同号）： names both.
    return is_phone(match["span"]) and (not of_account or _is_before(OF_PHONE, text, match))


# ------------------------------------------------------------------------------------------------------------ patterns

_MARK = "[-— ]?"
PATTERNS = [
    Pattern(
        "mobile",
        re.compile(
            rf"(?<![\d@])(?P<span>(?:\+?86{_MARK})?1[3-9]\d{_MARK}\d{{4}}{_MARK}\d{{4}}"  # a mainland mobile
            rf"|(?:\+?86{_MARK})?(?:\(0\d{{1,3}}\)|0\d{{1,3}}){_MARK}\d{{3,4}}{_MARK}\d{{3,5}}"  # area code and number
            rf"|(?:\(\+?85[23]\)|\+?85[23]){_MARK}\d{{4}}{_MARK}\d{{4}}"  # Hong Kong, Macao
            rf"|(?:\(\+?886\)|\+?886){_MARK}\d{{1,3}}{_MARK}\d{{3,4}}{_MARK}\d{{3,4}})(?![\d@])"  # Taiwan
        ),
        _is_known_phone,
    ),
    Pattern(
        "email",
        re.compile(
            # A full stop or dash before the name belongs to the text, unless a letter or digit precedes it. A capital
            # letter after a lower-case domain begins the next word. An address has at most 254 characters.
            r"(?<![A-Za-z0-9_%+@])(?<![A-Za-z0-9][.-])(?P<span>[A-Za-z0-9_][A-Za-z0-9._%+-]{0,253}@(?:[A-Za-z0-9-]+\.)+?"
            rf"(?i:{'|'.join(re.escape(domain) for domain in DOMAINS)}))"
            r"(?:(?<=[a-z])(?![a-z]|\.[a-z])|(?<=[A-Z])(?![A-Za-z]|\.[A-Za-z]))"
        ),
        lambda text, match: True,
    ),
    Pattern("QQ", re.compile(r"(?<![\d@.])(?P<span>[1-9]\d{4,10})(?![\d@])"), _is_qq),
    Pattern(
        "vx",
        re.compile(
            r"(?<![A-Za-z0-9_@-])(?P<span>[A-Za-z][A-Za-z0-9_-]{5,19}|1[3-9]\d{9}|[1-9]\d{5,10})(?![A-Za-z0-9_@-])"
        ),
        _is_wechat,
    ),
]


def with_patterns(
    text: str, spans: Sequence[ScoredSpan], back_up: Collection[str], override: Collection[str]
) -> list[ScoredSpan]:
    """Combine the spans that a model found in a text with those of patterns.

    Args:
        text: the text.
        spans: found by the model.
        back_up: categories in which a pattern's span is added if it does not overlap a span of the same category.
        override: categories in which only patterns count.

    Returns:
        Spans sorted by begin, end and category. Those of patterns have probability 1.
    """
    kept = [span for span in spans if span.category not in override]
    taken = {place for span in kept for place in _places(span)}
    found = (ScoredSpan(*span, 1.0) for span in find_patterns(text, {*back_up, *override}))
    added = [span for span in found if span.category in override or taken.isdisjoint(_places(span))]
    return sorted([*kept, *added], key=place_in_text)


def _places(span: AnySpan) -> Iterator[tuple[str, int]]:
    """The category with each offset of the span. Spans clash if they share one."""
    return ((span.category, place) for place in range(span.begin, span.end + 1))


def find_patterns(text: str, categories: Iterable[str]) -> list[Span]:
    """The spans that match the patterns of some categories, sorted by begin, end and category.

    A category without a pattern has no spans.
    """
    wanted = set(categories)
    found = set()
    plain, places = plain_text(text)
    for pattern in PATTERNS:
        if pattern.category in wanted:
            found |= {
                Span(pattern.category, places[match.start("span")], places[match.end("span") - 1])
                for match in pattern.form.finditer(plain)
                if pattern.holds(plain, match)
            }
    return list(sorted_spans(found))
