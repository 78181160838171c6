"""The format of CLUENER: JSON objects with the labels as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from config import CorpusConfig
from data.corpus.document import Document
from data.corpus.json_records import Label, check_labels, describe_records, read_records, unknown_labels
from data.corpus.label_check import expect_kind
from data.corpus.reader import Located, Reader
from data.problems import Problems


def read_cluener(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Sentences of a CLUENER file.

    | key     | value                                                             |
    |---------|-------------------------------------------------------------------|
    | `text`  | the sentence                                                      |
    | `label` | `{category: {text: [[begin, end], ...]}}`, end inclusive          |
    | `id`    | optional; the record's number, from 0, if not given                 |

    The labels of a record without `label` are unknown.

    Raises:
        UserError: the file is missing or is not UTF-8.
    """
    for where, document, record in read_records(corpus, problems):
        spans = check_labels(document.text, _tree_labels(record.get("label"), where, problems), where, problems)
        lost = unknown_labels(record, ["label"], where)
        yield Located(where, Document(document.id, document.text, spans), lost)


def _tree_labels(tree: Any, where: str, problems: Problems) -> Iterator[Label]:
    """The labels of the tree, one by one."""
    for category, texts in expect_kind(dict, tree, "label", where, problems).items():
        for expected, places in expect_kind(dict, texts, "label", where, problems).items():
            for place in expect_kind(list, places, "label", where, problems):
                begin, end = place if isinstance(place, list) and len(place) == 2 else (place, None)
                yield Label(category, begin, end, expected)


def _is_cluener(record: dict[str, Any]) -> bool:
    return isinstance(record.get("label"), dict)


READER = Reader(
    labels="`label`, {category: {text: [[begin, end]]}}",
    read=read_cluener,
    recognises_record=_is_cluener,
    describe=describe_records,
)
