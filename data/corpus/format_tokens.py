"""Token lists: records with a list of tokens and a list of tags, as JSON or as Hugging Face `datasets` saves them.

A saved dataset is a folder with `dataset_info.json`, `state.json` and Arrow files. It is read through pyarrow, because
the library itself brings much that nothing here needs. Tags that are numbers have their names in the features.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from config import CorpusConfig
from data.corpus.corpus_files import read_text
from data.corpus.document import Document, category_counts
from data.corpus.json_records import describe_records, identity_of, json_or_none, read_objects
from data.corpus.reader import Located, Lost, Reader
from data.corpus.tag_schemes import TaggedTokens, read_tagged, write_tags
from data.corpus.writer import Writer
from data.problems import Problems
from utils.errors import UserError
from utils.files import write_json
from utils.json_values import parse_json

TOKEN_KEYS = ("tokens", "words", "text", "sentence")  # the first of which a record has a list under
TAG_KEYS = ("ner_tags", "labels", "label", "tags", "ner")
SPLITS_FILE, STATE_FILE, FEATURES_FILE = "dataset_dict.json", "state.json", "dataset_info.json"
TABLES = (".arrow", ".parquet")
DATA_FILE = "data-00000-of-00001.arrow"

Names = dict[str, list[str]]  # of the numbers in a column, by the column


class Record(NamedTuple):
    """A record and its place."""

    number: int
    where: str
    values: dict[str, Any]


def read_token_lists(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Documents whose text is all tokens, one after the other.

    | key        | value                                                                          |
    |------------|--------------------------------------------------------------------------------|
    | `tokens`   | list of tokens; also under `words`, `text`, `sentence`, or `corpus.text_key`   |
    | `ner_tags` | list of tags, one for each token; also under `labels`, `label`, `tags`, `ner`  |
    | `id`       | optional; otherwise the record's number, from 0                                |

    `tag_schemes.py` says which tags are read. The tags of a record are unknown if they are missing, are more or fewer
    than the tokens, or are numbers without names.

    Raises:
        UserError: the file or folder is missing or damaged, or holds several datasets.
    """
    path = Path(corpus.path)
    if path.is_dir() or path.suffix in TABLES:
        records, names = _read_tables(path)
    else:
        records, names = (Record(*value) for value in read_objects(path, problems)), {}
    token_keys = (corpus.text_key,) if corpus.text_key else TOKEN_KEYS
    sentences = [sentence for record in records if (sentence := _sentence(record, token_keys, names, problems))]
    yield from read_tagged(sentences, corpus.path, problems)


def _sentence(record: Record, token_keys: Sequence[str], names: Names, problems: Problems) -> TaggedTokens | None:
    number, where, values = record
    tokens = next((values[key] for key in token_keys if isinstance(values.get(key), list)), None)
    if tokens is None:
        problems.add("record without tokens", where, f"its keys are {', '.join(values) or 'none'}")
        return None
    if not tokens:
        problems.add("empty text", where)
        return None
    key = next((key for key in TAG_KEYS if isinstance(values.get(key), list)), "")
    tags, lost = _tags(values.get(key), len(tokens), names.get(key, []), where)
    written = [token if isinstance(token, str) else f"{token}" for token in tokens]
    return TaggedTokens(identity_of(values, number), where, [], written, tags, lost)


def _tags(tags: Any, tokens: int, names: list[str], where: str) -> tuple[list[str], Lost | None]:
    """The tags as written, or only O and why they are unknown."""
    outside = ["O"] * tokens
    if tags is None:
        return outside, Lost("record without tags", where, f"expected one of {', '.join(TAG_KEYS)}")
    if len(tags) != tokens:
        return outside, Lost("tokens and tags differ in number", where, f"{tokens} tokens, {len(tags)} tags")
    if all(isinstance(tag, str) for tag in tags):
        return tags, None
    if all(type(tag) is int and 0 <= tag < len(names) for tag in tags):
        return [names[tag] for tag in tags], None
    return outside, Lost("tags are numbers without names", where, "write names instead, such as B-name")


def _is_token_list(record: dict[str, Any]) -> bool:
    tokens = next((record[key] for key in TOKEN_KEYS if isinstance(record.get(key), list)), None)
    return bool(tokens) and any(
        isinstance(tags := record.get(key), list) and all(isinstance(tag, (str, int)) for tag in tags)
        for key in TAG_KEYS
    )


# -------------------------------------------------------------------------------------------------------------- tables


def _is_saved_dataset(path: Path) -> bool:
    if path.is_dir():
        return (path / STATE_FILE).is_file() or (path / SPLITS_FILE).is_file()
    return path.suffix in TABLES


def _read_tables(path: Path) -> tuple[Iterator[Record], Names]:
    """The records of a saved dataset, or of one Arrow or Parquet file, and the names of its tags."""
    import pyarrow  # imported here because only this format needs it

    try:
        tables = [_read_table(file) for file in _table_files(path)]
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: cannot be read as a saved dataset ({reason:.160}); save it again") from None
    names = _names(tables[0].schema.metadata or {}) if tables else {}
    rows = (row for table in tables for batch in table.to_batches() for row in batch.to_pylist())
    return (Record(number, f"{path}, item {number}", row) for number, row in enumerate(rows)), names


def _table_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    if (path / SPLITS_FILE).is_file():
        splits = ", ".join(str(path / split) for split in parse_json(read_text(path / SPLITS_FILE))["splits"])
        raise UserError(f"{path}: holds several datasets; name one of {splits}")
    listed = parse_json(read_text(path / STATE_FILE))["_data_files"]
    return [path / Path(file["filename"]).name for file in listed]  # a file of this folder, whatever is listed


def _read_table(file: Path) -> Any:
    import pyarrow.ipc
    import pyarrow.parquet

    if file.suffix == ".parquet":
        table = pyarrow.parquet.read_table(file)
    else:
        with pyarrow.memory_map(str(file)) as source:
            table = pyarrow.ipc.open_stream(source).read_all()
    table.validate(full=True)  # offsets of a damaged file may point beyond its memory
    return table


def _names(metadata: dict[bytes, bytes]) -> Names:
    """The names of the numbers in each column, from the features that `datasets` keeps beside the schema."""
    info = json_or_none(metadata.get(b"huggingface", b"{}").decode("utf-8", "replace"))
    features = info.get("info", {}).get("features", {}) if isinstance(info, dict) else {}
    named = {column: own.get("feature") for column, own in features.items() if isinstance(own, dict)}
    return {column: one["names"] for column, one in named.items() if isinstance(one, dict) and "names" in one}


def write_dataset(documents: Sequence[Document], output: Path, problems: Problems) -> None:
    """Write a folder that `datasets.load_from_disk` opens: characters as `tokens`, and BIO as `ner_tags`."""
    import pyarrow as arrow
    import pyarrow.ipc

    names = ["O", *(f"{letter}-{category}" for category in sorted(category_counts(documents)) for letter in "BI")]
    numbers = {name: number for number, name in enumerate(names)}
    text, label = {"dtype": "string", "_type": "Value"}, {"names": names, "_type": "ClassLabel"}
    features = {
        "id": text,
        "tokens": {"feature": text, "_type": "Sequence"},
        "ner_tags": {"feature": label, "_type": "Sequence"},
    }
    columns = {
        "id": arrow.array([document.id for document in documents], arrow.string()),
        "tokens": arrow.array([list(document.text) for document in documents], arrow.list_(arrow.string())),
        "ner_tags": arrow.array(
            [[numbers[tag] for tag in write_tags(one, "I", "I", "B", problems)] for one in documents],
            arrow.list_(arrow.int64()),
        ),
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}}, ensure_ascii=False)}
    table = arrow.table(columns).replace_schema_metadata(metadata)
    with pyarrow.ipc.new_stream(str(output / DATA_FILE), table.schema) as stream:
        stream.write_table(table)
    write_json(output / FEATURES_FILE, {"features": features, "description": "", "citation": "", "homepage": "",
                                        "license": ""})  # fmt: skip
    digest = hashlib.sha256((output / DATA_FILE).read_bytes()).hexdigest()[:16]
    state: dict[str, Any] = {"_data_files": [{"filename": DATA_FILE}], "_fingerprint": digest, "_format_columns": None,
             "_format_kwargs": {}, "_format_type": None, "_output_all_columns": False, "_split": None}  # fmt: skip
    write_json(output / STATE_FILE, state)


READER = Reader(
    labels="`ner_tags`, a tag for each of the `tokens`",
    read=read_token_lists,
    recognises=_is_saved_dataset,
    recognises_record=_is_token_list,
    describe=lambda corpus: "" if _is_saved_dataset(Path(corpus.path)) else describe_records(corpus),
)
WRITERS = {
    "datasets": Writer("a folder for datasets.load_from_disk, characters and BIO tags", write_dataset, folder=True)
}
