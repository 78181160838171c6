"""Reads JSON: the one place where what its library raises becomes one kind of error."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str) -> Any:
    """The JSON value of a text.

    Raises:
        ValueError: it is not JSON, is nested too deep, or holds a number of thousands of digits.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
