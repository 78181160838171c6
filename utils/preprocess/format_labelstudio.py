"""Label Studio's JSON: a list of tasks, each a text with annotations and predictions.

    [{"data": {"id": "0", "text": "..."},
      "annotations": [{"result": [{"from_name": "label", "to_name": "text", "type": "labels",
                                   "value": {"start": 76, "end": 79, "text": "...", "labels": ["name"]}}]}],
      "predictions": [...]}]

`end` is exclusive there. Offsets count characters; some releases counted UTF-16 units, which differ after an emoji, and
that reading is taken where the label's own text fits it and not the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from config import CorpusConfig, UserError
from utils.preprocess.document import Document, Problems, Span, sorted_spans
from utils.preprocess.files import read_text
from utils.preprocess.labels import Located, check_label, expect_kind, writable_record


def read_labelstudio(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Documents of an export, with the labels of each task's last annotation that was not cancelled.

    Raises:
        UserError: the file is missing, not UTF-8, or no list of tasks.
    """
    tasks = parse_tasks(read_text(Path(corpus.path)))
    if tasks is None:
        raise UserError(f"{corpus.path}: no list of Label Studio tasks; export the project as JSON")
    for number, task in enumerate(tasks):
        task = writable_record(task, f"{corpus.path}, task {number}", problems)
        where = f"{corpus.path}, task {task.get('id', number)}"
        data = task["data"]
        if not isinstance(data.get("text"), str):
            problems.add("task without a text", where, f"its data are {', '.join(data) or 'nothing'}")
            continue
        identity = str(data.get("id", task.get("id", number)))
        spans = (span for span in _spans(data["text"], task, where, problems) if span)
        yield Located(where, Document(identity, data["text"], sorted_spans(spans)))


def parse_tasks(text: str) -> list[dict[str, Any]] | None:
    """The tasks in a JSON text, or None where it holds none."""
    try:
        tasks = json.loads(text)
    except (ValueError, RecursionError):
        return None
    fits = isinstance(tasks, list) and all(
        isinstance(task, dict) and isinstance(task.get("data"), dict) for task in tasks
    )
    return tasks if fits and tasks else None


def to_labelstudio(
    documents: Iterable[Document],
    missing: Mapping[str, Mapping[Span, float]],
    doubtful: Mapping[str, Mapping[Span, float]],
) -> str:
    """Tasks with the labels as an annotation, and what is missing among them, with scores, as a prediction.

    Args:
        documents: with their labels.
        missing: spans without a label and their shares, by document.
        doubtful: labels that carry a note with their share, by document.
    """
    tasks = []
    for document in documents:
        labels = {span: _result(document.text, span) for span in document.spans}
        for span, share in doubtful.get(document.id, {}).items():
            labels[span]["meta"] = {"text": [f"doubtful: {share:.4f}"]}
        task: dict[str, Any] = {
            "data": {"id": document.id, "text": document.text},
            "annotations": [{"result": list(labels.values())}],
        }
        if own := missing.get(document.id):
            results = [_result(document.text, span) | {"score": round(share, 4)} for span, share in own.items()]
            task["predictions"] = [{"model_version": "votes", "result": results}]
        tasks.append(task)
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def _result(text: str, span: Span) -> dict[str, Any]:
    value = {"start": span.begin, "end": span.end + 1, "text": text[span.begin : span.end + 1],
             "labels": [span.category]}  # fmt: skip
    return {"from_name": "label", "to_name": "text", "type": "labels", "value": value}


def _spans(text: str, task: dict[str, Any], where: str, problems: Problems) -> Iterator[Span | None]:
    annotations = _objects(task.get("annotations"), "annotations", where, problems)
    standing = [one for one in annotations if not one.get("was_cancelled")]
    for result in _objects(standing[-1].get("result"), "result", where, problems) if standing else ():
        value = expect_kind(dict, result.get("value"), "value", where, problems)
        begin, end, own = value.get("start"), value.get("end"), value.get("text")
        if isinstance(begin, int) and isinstance(end, int) and own is not None and text[begin:end] != own:
            begin, end = _from_utf16(text, begin, end, own)
        for category in expect_kind(list, value.get("labels"), "labels", where, problems):
            last = end - 1 if isinstance(end, int) else end
            yield check_label(text, category, begin, last, own, where, problems)


def _objects(values: Any, key: str, where: str, problems: Problems) -> list[dict[str, Any]]:
    """The objects in a list; what is none is reported."""
    listed = expect_kind(list, values, key, where, problems)
    return [value for one in listed if (value := expect_kind(dict, one, key, where, problems))]


def _from_utf16(text: str, begin: int, end: int, own: str) -> tuple[int, int]:
    """The bounds in characters if they were in UTF-16 units and the text then fits; otherwise as they are."""
    units = text.encode("utf-16-le")
    try:
        first = len(units[: 2 * begin].decode("utf-16-le"))
        last = first + len(units[2 * begin : 2 * end].decode("utf-16-le"))
    except UnicodeDecodeError:
        return begin, end
    return (first, last) if text[first:last] == own else (begin, end)
