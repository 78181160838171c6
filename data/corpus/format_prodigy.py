"""JSON lines of Prodigy: a text, `spans` with exclusive ends, and the annotator's answer.

{"text": "...", "spans": [{"start": 76, "end": 79, "label": "name"}], "answer": "accept"}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from config import CorpusConfig
from data.corpus.document import Document
from data.corpus.format_doccano import label_of
from data.corpus.json_records import check_labels, describe_records, read_records, unknown_labels
from data.corpus.label_check import each_of_kind
from data.corpus.reader import Located, Lost, Reader
from data.problems import Problems


def read_prodigy(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Documents of a dataset. The labels of a task that was rejected or ignored are unknown.

    Raises:
        UserError: the file is missing, is not UTF-8 or is not JSON.
    """
    for where, document, record in read_records(corpus, problems):
        values = each_of_kind(dict, record.get("spans"), "spans", where, problems)
        labels = [label_of(one.get("label"), one.get("start"), one.get("end"), one.get("text")) for one in values]
        spans = check_labels(document.text, labels, where, problems)
        answer = record.get("answer")
        lost = unknown_labels(record, ["spans"], where, optional=answer == "accept")
        if answer not in (None, "accept"):
            lost = Lost("task that was not accepted", where, f"its answer is {answer!r:.40}")
        yield Located(where, Document(document.id, document.text, spans), lost)


def _is_prodigy(record: dict[str, Any]) -> bool:
    spans = record.get("spans")
    return isinstance(spans, list) and bool(spans) and all(
        isinstance(span, dict) and {"start", "end", "label"} <= span.keys() for span in spans
    )  # fmt: skip


READER = Reader(
    labels="`spans`, a list of {start, end, label}, end exclusive",
    read=read_prodigy,
    recognises_record=_is_prodigy,
    describe=describe_records,
)
