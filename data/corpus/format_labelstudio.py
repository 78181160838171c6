"""JSON of Label Studio: a list of tasks, each with a text, annotations and predictions.

    [{"data": {"id": "0", "text": "..."},
      "annotations": [{"result": [{"from_name": "label", "to_name": "text", "type": "labels",
                                   "value": {"start": 76, "end": 79, "text": "...", "labels": ["name"]}}]}],
      "predictions": [...]}]

`end` is exclusive. Offsets count characters, but some releases counted UTF-16 units, which differ after an emoji. The
labels of a task are read in UTF-16 units if the text of one of them fits its place in these units only. A text can fit
both places: in 哈哈哈, the label 哈哈 does.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from config import CorpusConfig
from data.corpus.corpus_files import is_tree, read_lines, read_text
from data.corpus.document import Document
from data.corpus.label_check import check_label, expect_kind, writable_record
from data.corpus.reader import Located, Lost, Reader
from data.problems import Problems
from data.spans import Span, sorted_spans
from utils.errors import UserError

Bounds = tuple[Any, Any]  # begin and end (exclusive) of a label, as read and so of any type


def read_labelstudio(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Documents of an export, each with the labels of its task's last annotation that was not cancelled.

    Raises:
        UserError: the file is missing, is not UTF-8, or is not a list of tasks.
    """
    tasks = parse_tasks(read_text(Path(corpus.path)))
    if tasks is None:
        raise UserError(f"{corpus.path}: not a list of Label Studio tasks; export the project as JSON")
    for number, task in enumerate(tasks):
        task = writable_record(task, f"{corpus.path}, task {number}", problems)
        data = task["data"]
        named = number if task.get("id") is None else task["id"]
        where = f"{corpus.path}, task {named}"
        if not isinstance(data.get("text"), str):
            problems.add("task without a text", where, f"its data are {', '.join(data) or 'nothing'}")
            continue
        identity = str(named if data.get("id") is None else data["id"])
        annotations = _objects(task.get("annotations"), "annotations", where, problems)
        valid = [one for one in annotations if not one.get("was_cancelled")]
        if valid:
            spans = (span for span in _spans(data["text"], valid[-1], where, problems) if span)
            yield Located(where, Document(identity, data["text"], sorted_spans(spans)))
        else:  # skipped or not annotated yet, so whether it has labels is unknown
            lost = Lost("task without an annotation", where, f"{len(annotations)} were cancelled")
            yield Located(where, Document(identity, data["text"]), lost)


def parse_tasks(text: str) -> list[dict[str, Any]] | None:
    """The tasks of a JSON text, or None if it is not a list of tasks."""
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
    """Write documents as tasks: labels as an annotation, and candidate missing spans as a prediction with scores.

    Args:
        documents: with their labels.
        missing: candidate missing spans and their shares of votes, by document id.
        doubtful: doubtful labels and their shares of votes, by document id. Each gets a note with its share.
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


def _spans(text: str, annotation: dict[str, Any], where: str, problems: Problems) -> Iterator[Span | None]:
    results = _objects(annotation.get("result"), "result", where, problems)
    values = [expect_kind(dict, result.get("value"), "value", where, problems) for result in results]
    for value, (begin, end) in zip(values, _bounds(text, values), strict=True):
        for category in expect_kind(list, value.get("labels"), "labels", where, problems):
            last = end - 1 if isinstance(end, int) else end
            yield check_label(text, category, begin, last, value.get("text"), where, problems)


def _bounds(text: str, values: list[dict[str, Any]]) -> list[Bounds]:
    """Begin and end of each label of a task, in characters. Places outside the text are left for `check_label`."""
    written = [(value.get("start"), value.get("end")) for value in values]
    converted = _from_utf16(text, written)
    fits, converted_fits = _fitting(text, written, values), _fitting(text, converted, values)
    if all(one or not other for one, other in zip(fits, converted_fits, strict=True)):
        return written
    # A label whose text fits its place in characters only is still read in characters.
    kept = [one and not other for one, other in zip(fits, converted_fits, strict=True)]
    return [one if keep else other for keep, one, other in zip(kept, written, converted, strict=True)]


def _objects(values: Any, key: str, where: str, problems: Problems) -> list[dict[str, Any]]:
    """The objects of a list. Other values are reported."""
    listed = expect_kind(list, values, key, where, problems)
    return [value for one in listed if (value := expect_kind(dict, one, key, where, problems))]


def _fitting(text: str, bounds: list[Bounds], values: list[dict[str, Any]]) -> list[bool]:
    """Whether the text of each label is the text within its bounds."""
    return [
        isinstance(begin, int) and isinstance(end, int) and text[begin:end] == value.get("text")
        for (begin, end), value in zip(bounds, values, strict=True)
    ]


def _from_utf16(text: str, bounds: list[Bounds]) -> list[Bounds]:
    """Convert bounds from UTF-16 units to characters: None inside a character, unchanged outside the text."""
    units = list(itertools.accumulate((1 + (character > "\uffff") for character in text), initial=0))
    places = {unit: place for place, unit in enumerate(units)}

    def place(offset: Any) -> Any:
        return places.get(offset) if isinstance(offset, int) and 0 <= offset <= units[-1] else offset

    return [(place(begin), place(end)) for begin, end in bounds]


def _is_labelstudio(path: Path) -> bool:
    if is_tree(path):
        return False
    first = next((line for _, line in read_lines(path)), "")  # a large foreign file is not read as a whole
    return first.lstrip().startswith("[") and parse_tasks(read_text(path)) is not None


READER = Reader(
    files="a JSON list of tasks",
    labels="the annotations of its tasks",
    read=read_labelstudio,
    recognises=_is_labelstudio,
)
