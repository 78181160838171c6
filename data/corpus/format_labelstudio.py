"""JSON of Label Studio: tasks, each with a text, annotations and predictions.

    [{"data": {"id": "0", "text": "..."},
      "annotations": [{"result": [{"from_name": "label", "to_name": "text", "type": "labels",
                                   "value": {"start": 76, "end": 79, "text": "...", "labels": ["name"]}}]}],
      "predictions": [...]}]

Earlier releases have `completions` instead of `annotations`. The export JSON_MIN has the values of the results in the
task itself, under the name of their control: `[{"id": 0, "text": "...", "label": [{"start": 76, ...}]}]`.

`end` is exclusive. Offsets count characters, but some releases counted UTF-16 units, which differ after an emoji. The
labels of a task are read in UTF-16 units if the text of one of them fits its place in these units only. A text can fit
both places: in 哈哈哈, the label 哈哈 does.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from config import CorpusConfig
from data.corpus.document import Document, bare
from data.corpus.json_records import describe_records, identity_of, read_objects
from data.corpus.label_check import check_label, each_of_kind, expect_kind
from data.corpus.reader import Located, Lost, Reader
from data.corpus.writer import Writer
from data.problems import Problems
from data.spans import AnySpan, Span, sorted_spans

Value = dict[str, Any]  # of a label: its offsets, text and categories
Bounds = tuple[Any, Any]  # begin and end (exclusive) of a label, as read and so of any type
ANNOTATIONS = ("annotations", "completions")
ANNOTATOR = ("annotator", "annotation_id", "completed_by")  # one of them is in each annotated task of JSON_MIN
# Strings in the data of a task that are not its text.
DESCRIPTIONS = {"id", "url", "source", "file_upload", "created_at", "updated_at", "completed_at", *ANNOTATOR}


def read_labelstudio(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Documents of an export, each with the labels of its task's last annotation that was not cancelled.

    The text is under `corpus.text_key`, or `text`, or is the only string in the task's data. Results other than labels,
    such as relations and choices, are not read.

    Raises:
        UserError: the file is missing, is not UTF-8 or is not JSON.
    """
    for number, _, task in read_objects(Path(corpus.path), problems):
        named = number if task.get("id") is None else task["id"]
        where = f"{corpus.path}, task {named}"
        whole = isinstance(task.get("data"), dict)
        data = task["data"] if whole else task
        text = _text(data, corpus.text_key, where, problems)
        if text is None:
            continue
        values, lost = _values(task, where, problems) if whole else _values_of_min(task, where)
        spans = sorted_spans(_spans(text, values, where, problems))
        yield Located(where, Document(identity_of(data, named), text, spans), lost)


def _text(data: dict[str, Any], key: str, where: str, problems: Problems) -> str | None:
    strings = [name for name, value in data.items() if isinstance(value, str) and name not in DESCRIPTIONS]
    if not key:
        key = "text" if "text" in strings else strings[0] if len(strings) == 1 else ""
    if isinstance(data.get(key), str):
        return data[key]
    found = f"its strings are {', '.join(strings)}; name one with text_key" if strings else f"keys {', '.join(data)}"
    problems.add("task without a text", where, found)
    return None


def _values(task: dict[str, Any], where: str, problems: Problems) -> tuple[list[Value], Lost | None]:
    """The labels of a task, or none and why they are unknown."""
    key = next((key for key in ANNOTATIONS if task.get(key) is not None), ANNOTATIONS[0])
    annotations = list(each_of_kind(dict, task.get(key), key, where, problems))
    valid = [one for one in annotations if not one.get("was_cancelled")]
    if not valid:  # skipped or not annotated yet
        return [], Lost("task without an annotation", where, f"{len(annotations)} were cancelled")
    results = each_of_kind(dict, valid[-1].get("result"), "result", where, problems)
    return [expect_kind(dict, result.get("value"), "value", where, problems) for result in results], None


def _values_of_min(task: dict[str, Any], where: str) -> tuple[list[Value], Lost | None]:
    """The same for a task of JSON_MIN, in which a control without labels has no key."""
    values = [value for own in task.values() if _is_list_of_values(own) for value in own]
    if values or any(task.get(key) is not None for key in ANNOTATOR):
        return values, None
    return [], Lost("task without an annotation", where, "it has neither labels nor an annotator")


def _is_list_of_values(own: Any) -> bool:
    return isinstance(own, list) and bool(own) and all(
        isinstance(value, dict) and {"start", "end", "labels"} <= value.keys() for value in own
    )  # fmt: skip


def _spans(text: str, values: list[Value], where: str, problems: Problems) -> Iterator[Span]:
    for value, (begin, end) in zip(values, _bounds(text, values), strict=True):
        if any(key.endswith("labels") and key != "labels" for key in value):
            found = ", ".join(key for key in value if key.endswith("labels"))
            problems.add("labels of another shape", where, f"{found}; only labels of plain text are read", labels=1)
        for category in expect_kind(list, value.get("labels"), "labels", where, problems):
            last = end - 1 if isinstance(end, int) else end
            if span := check_label(text, category, begin, last, value.get("text"), where, problems):
                yield span


def _bounds(text: str, values: list[Value]) -> list[Bounds]:
    """Begin and end of each label of a task, in characters. Places outside the text are left for `check_label`."""
    written = [(value.get("start"), value.get("end")) for value in values]
    converted = _from_utf16(text, written)
    both = [_fits(text, one, other, value) for one, other, value in zip(written, converted, values, strict=True)]
    if all(fits or not converted_fits for fits, converted_fits in both):
        return written
    # A label whose text fits its place in characters only is still read in characters.
    kept = [fits and not converted_fits for fits, converted_fits in both]
    return [one if keep else other for keep, one, other in zip(kept, written, converted, strict=True)]


def _fits(text: str, written: Bounds, converted: Bounds, value: Value) -> tuple[bool, bool]:
    """Whether a label's text stands within either of its bounds: exactly, or else but for white space."""
    own, found = value.get("text"), [_within(text, bounds) for bounds in (written, converted)]
    if not isinstance(own, str):
        return False, False
    if own not in found:
        own, found = bare(own), [None if one is None else bare(one) for one in found]
    return found[0] == own, found[1] == own


def _within(text: str, bounds: Bounds) -> str | None:
    begin, end = bounds
    return text[begin:end] if isinstance(begin, int) and isinstance(end, int) else None


def _from_utf16(text: str, bounds: list[Bounds]) -> list[Bounds]:
    """Convert bounds from UTF-16 units to characters: None inside a character, unchanged outside the text."""
    units = list(itertools.accumulate((1 + (character > "\uffff") for character in text), initial=0))
    places = {unit: place for place, unit in enumerate(units)}

    def place(offset: Any) -> Any:
        return places.get(offset) if isinstance(offset, int) and 0 <= offset <= units[-1] else offset

    return [(place(begin), place(end)) for begin, end in bounds]


def _is_task(record: dict[str, Any]) -> bool:
    return isinstance(record.get("data"), dict) or any(map(_is_list_of_values, record.values()))


# ------------------------------------------------------------------------------------------------------------- writing


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
        labels = {span: label_result(document.text, span) for span in document.spans}
        for span, share in doubtful.get(document.id, {}).items():
            labels[span]["meta"] = {"text": [f"doubtful: {share:.4f}"]}
        task: dict[str, Any] = {
            "data": {"id": document.id, "text": document.text},
            "annotations": [{"result": list(labels.values())}],
        }
        if own := missing.get(document.id):
            results = [label_result(document.text, span) | {"score": round(share, 4)} for span, share in own.items()]
            task["predictions"] = [{"model_version": "votes", "result": results}]
        tasks.append(task)
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def label_result(text: str, span: AnySpan) -> dict[str, Any]:
    """A span as a result of an annotation or prediction."""
    value = {"start": span.begin, "end": span.end + 1, "text": text[span.begin : span.end + 1],
             "labels": [span.category]}  # fmt: skip
    return {"from_name": "label", "to_name": "text", "type": "labels", "value": value}


def write_labelstudio(documents: Sequence[Document], output: Path, problems: Problems) -> None:
    """Write tasks with an annotation each. Nothing is left out."""
    output.write_text(to_labelstudio(documents, {}, {}), encoding="utf-8", newline="\n")


READER = Reader(
    labels="the annotations of its tasks",
    read=read_labelstudio,
    recognises_record=_is_task,
    describe=describe_records,
)
WRITERS = {"labelstudio": Writer("a JSON list of annotated tasks, for Label Studio", write_labelstudio)}
