"""A text as patterns read it: letters, digits, marks and blanks in one form, without characters that have no width.

    | in the text                                                       | read as       |
    |-------------------------------------------------------------------|---------------|
    | characters without width, such as U+200B, U+FEFF and U+00AD       | nothing       |
    | blanks of any width (Unicode category Zs), such as U+00A0, U+3000 | a space       |
    | decimal digits of any width, font or script                       | 0 to 9        |
    | letters and @ . - _ + ( ) % of another width or font              | the ASCII one |
    | the hyphens U+2010 and U+2011                                     | -             |
    | longer dashes, U+2012 to U+2015, and the minus sign, U+2212       | the dash —    |

Everything else stays as it is, line breaks and tabs too. Circled and superscript digits are marks of their own, not
digits of a number.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

# What Unicode calls default-ignorable, the marks of annotations between lines, and the box of a key (as in 1️⃣).
WITHOUT_WIDTH = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20e3\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_ASCII = frozenset(string.ascii_letters + "@.-_+()%")
_OTHER_FORM = re.compile("<(?:wide|small|font)> ([0-9A-F]+)")  # how Unicode says which character one is a form of
_DASHES = dict.fromkeys("\u2010\u2011", "-") | dict.fromkeys("\u2012\u2013\u2014\u2015\u2212", "—")


class PlainText(NamedTuple):
    """A text as patterns read it.

    Attributes:
        text: at most as long as the original.
        places: the offset in the original of each character of `text`.
    """

    text: str
    places: Sequence[int]


class _Forms(dict[int, str]):
    """What each character is read as: one character, or none. Worked out when a character first occurs."""

    def __missing__(self, code: int) -> str:
        self[code] = form = _form(chr(code))
        return form


_FORMS = _Forms()


def plain_text(text: str) -> PlainText:
    """The text as patterns read it, with the place of each character in the original."""
    plain = text.translate(_FORMS)
    if len(plain) == len(text):
        return PlainText(plain, range(len(text)))
    return PlainText(plain, [place for place, character in enumerate(text) if _FORMS[ord(character)]])


def _form(character: str) -> str:
    if WITHOUT_WIDTH.match(character):
        return ""
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category == "Nd":
        return str(unicodedata.decimal(character))
    other = _OTHER_FORM.fullmatch(unicodedata.decomposition(character))
    usual = chr(int(other[1], 16)) if other else character
    return usual if usual in _ASCII else _DASHES.get(usual, character)
