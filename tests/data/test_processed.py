import json
import os

import numpy as np
import pytest

from config import load_config
from data.lattice.tokenizer import SPECIALS
from data.processed import VERSION, fingerprints, input_files, load_processed, save_processed
from model.prepare import prepare
from utils.errors import UserError
from utils.recorded_files import read_sealed

ARRAYS = ("tokens", "token_offsets", "words", "heads", "tails", "word_offsets", "segments", "groups")


@pytest.fixture
def vector_file(tmp_path, workspace):
    """Vectors for all pairs of neighbouring characters, so that there is a small lexicon."""
    pairs = sorted({d.text[i : i + 2] for d in workspace.documents for i in range(len(d.text) - 1)})
    path = tmp_path / "words.vec"
    lines = [f"{pair} {number} 0.5\n" for number, pair in enumerate(pairs) if pair.isalpha() and not pair.isascii()]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def overrides(vector_file):
    return ["lexicon.match=all", "lexicon.source=vectors", "lexicon.vectors=file", f"lexicon.path={vector_file}"]


@pytest.fixture
def config(workspace, overrides):
    return load_config([workspace.settings], overrides)


@pytest.fixture
def made(config):
    return prepare(config)


def refusal(config):
    with pytest.raises(UserError) as caught:
        load_processed(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_everything_comes_back_as_it_was_made(config, made):
    loaded = load_processed(config)
    assert loaded.documents == made.documents
    assert loaded.parts == made.parts
    assert loaded.categories == made.categories
    assert loaded.vocabulary.tokens == made.vocabulary.tokens
    assert loaded.lexicon.words == made.lexicon.words
    assert len(loaded.lexicon.words) > 50
    assert loaded.manifest == made.manifest
    for name in ARRAYS[:6]:
        assert np.array_equal(getattr(loaded.lattices, name), getattr(made.lattices, name))
    for name in (*ARRAYS[6:], "vectors"):
        assert np.array_equal(getattr(loaded, name), getattr(made, name))
        assert getattr(loaded, name).dtype == getattr(made, name).dtype


def test_what_is_large_is_mapped_not_read(config, made):
    loaded = load_processed(config)
    assert isinstance(loaded.vectors, np.memmap)
    assert isinstance(loaded.lattices.tokens, np.memmap)


def test_nothing_in_the_folder_is_a_pickle(workspace, made):
    for path in workspace.processed.iterdir():
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
        else:
            path.read_text(encoding="utf-8")


def test_documents_of_a_part(processed_of, documents_of):
    processed = processed_of(documents_of(4, 1), ["train", "dev", "train", "additional"])
    assert (processed.of_part("train"), processed.of_part("dev"), processed.of_part("test")) == ([0, 2], [1], [])


# ---------------------------------------------------------------------------------------------------------- unchanged


@pytest.mark.parametrize(
    "override",
    ["train.epochs=2", "data.dev_share=0.3", "data.split_seed=1", "lexicon.length=1",
     "crf.scheme=bmes", "data.additional_leaks=keep", "encoder.depth=1", "run.seed=7",
     "train.precision=bf16"],
)  # fmt: skip
def test_a_setting_that_shapes_nothing_may_change(workspace, overrides, made, override):
    load_processed(load_config([workspace.settings], [*overrides, override]))


def test_a_copied_or_touched_corpus_is_the_same_corpus(workspace, config, made):
    for path in workspace.texts.iterdir():
        os.utime(path, ns=(1, 1))
    load_processed(config)


# ------------------------------------------------------------------------------------------------------------ changed


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("data.max_len=100", "data.max_len"),
        ("data.categories=[name]", "data.categories"),
        ("data.train.categories={name: person}", "data.train"),
        ("data.dev=elsewhere", "data.dev"),
        ("lexicon.match=segment", "lexicon.match"),
        ("encoder.name=hfl/rbt3", "encoder.name"),
        ("lexicon.tags=lac", "lexicon.tags"),
    ],
)
def test_a_changed_setting_is_named(workspace, overrides, made, override, name):
    message = refusal(load_config([workspace.settings], [*overrides, override]))
    assert f"made with another {name} than this run's; run preprocess.py" in message


def test_tags_come_back_and_are_refused_by_a_run_without_them(workspace, overrides, config):
    tagged = load_config([workspace.settings], [*overrides, "lexicon.tags=lac"])
    made = prepare(tagged)
    names, tags = made.lexicon.character_tags, load_processed(tagged).lattices.tags
    assert np.array_equal(tags, made.lattices.tags) and len(tags) == len(made.lattices.tokens)
    assert {"B-PER", "S-w"} <= {names[number] for number in tags}
    assert "made with another lexicon.tags than this run's" in refusal(config)
    path = workspace.processed / "tags.npy"
    path.unlink()
    assert str(path) in refusal(tagged)


def test_tags_that_the_tagger_does_not_know_are_refused(workspace, overrides):
    tagged = load_config([workspace.settings], [*overrides, "lexicon.tags=lac"])
    made = prepare(tagged)
    for tags in (made.lattices.tags[1:], np.full_like(made.lattices.tags, 100), None):
        made.lattices.tags = tags
        save_processed(made, workspace.processed)
        assert "its files do not fit together" in refusal(tagged)


def change_text(workspace):
    path = workspace.texts / "0.txt"
    path.write_bytes(path.read_bytes() + "。".encode())
    return path


def change_text_but_not_its_size(workspace):
    path = workspace.texts / "1.txt"
    raw = path.read_bytes()
    path.write_bytes(raw[:-3] + "！".encode())
    assert path.stat().st_size == len(raw)
    return path


def change_label(workspace):
    path = workspace.labels / "2.csv"
    path.write_bytes(path.read_bytes() + b"2,name,0,0,x\n")
    return path


def change_vectors(workspace):
    path = workspace.folder / "words.vec"
    path.write_bytes(path.read_bytes() + "天地 1 2\n".encode())
    return path


def add_text(workspace):
    path = workspace.texts / "100.txt"
    path.write_text("新", encoding="utf-8")
    return path


def add_label(workspace):
    path = workspace.labels / "100.csv"
    path.write_text("ID,Category,Pos_b,Pos_e,Privacy\n")
    return path


def remove_text(workspace):
    path = workspace.texts / "3.txt"
    path.unlink()
    return path


@pytest.mark.parametrize(
    "change",
    [change_text, change_text_but_not_its_size, change_label, change_vectors, add_text, add_label, remove_text],
)
def test_data_older_than_its_inputs_is_refused_by_name(workspace, config, made, change):
    """The labels of a CCF corpus count too, though they were found beside it and no setting names them."""
    path = change(workspace)
    message = refusal(config)
    assert "older than its inputs" in message
    assert str(path) in message
    assert "run preprocess.py" in message


@pytest.fixture
def encoder(tmp_path, workspace):
    """A folder with the files of an encoder, of which the vocabulary alone is one."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    characters = sorted({character for document in workspace.documents for character in document.text} - {"\n"})
    (folder / "vocab.txt").write_text("\n".join([*SPECIALS, *characters]) + "\n", encoding="utf-8")
    for name in ("config.json", "model.safetensors", "README.md", "tokenizer.json"):
        (folder / name).write_text("{}")
    return folder


def test_the_vocabulary_of_a_local_encoder_is_an_input(workspace, encoder):
    config = load_config([workspace.settings], [f"encoder.name={encoder}"])
    before = prepare(config).digest
    (encoder / "model.safetensors").write_text("trained further")
    assert load_processed(config).digest == before, "no word vectors come from it"
    lines = (encoder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    (encoder / "vocab.txt").write_text("\n".join([*lines[:5], *lines[5:-1][::-1], ""]), encoding="utf-8")
    assert f"older than its inputs ({encoder / 'vocab.txt'} has changed)" in refusal(config)
    assert prepare(config).digest != before


def test_the_weights_of_a_local_encoder_are_inputs_where_vectors_come_from_it(workspace, encoder):
    def names(*changes):
        config = load_config([workspace.settings], [f"encoder.name={encoder}", "lexicon.match=all", *changes])
        return [path.name for path in input_files(config) if path.parent == encoder]

    assert names() == ["vocab.txt"]
    assert names("lexicon.vectors=encoder") == ["vocab.txt", "config.json", "model.safetensors"]
    (encoder / "vocab.txt").unlink()
    assert names() == ["tokenizer.json"], "which is read in its place"
    assert names("encoder.name=some/hub-id") == names("encoder.name=scratch") == []


def test_a_corpus_that_is_gone_is_named(workspace, config, made):
    (workspace.folder / "words.vec").unlink()
    assert str(workspace.folder / "words.vec") in refusal(config)


def test_found_and_given_labels_are_the_same_inputs(workspace, config):
    given = load_config([workspace.settings], [f"data.train.labels={workspace.labels}"])
    assert input_files(given) == [path for path in input_files(config) if path.suffix != ".vec"]
    assert set(workspace.labels.iterdir()) < set(input_files(config))


@pytest.mark.parametrize("name", [".DS_Store", "._3.txt", "__MACOSX/3.txt"])
def test_what_macos_leaves_in_a_corpus_is_no_input(workspace, config, made, name):
    path = workspace.texts / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    load_processed(config)
    assert path not in input_files(config)


def test_a_corpus_below_a_hidden_folder_has_inputs(workspace, config):
    moved = workspace.texts.rename(workspace.folder / ".train_data")
    hidden = load_config([workspace.settings], [f"data.train={moved}"])
    assert set(moved.iterdir()) <= set(input_files(hidden))


def test_an_input_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        fingerprints([tmp_path / "none"])


# ------------------------------------------------------------------------------------------------------------ damaged


def test_no_folder_at_all(config):
    assert "no processed data; run preprocess.py" in refusal(config)


def test_a_folder_of_another_version_names_both(workspace, config, made):
    path = workspace.processed / "manifest.json"
    path.write_text(path.read_text().replace(f'"version": {VERSION}', '"version": 99'))
    assert f"made by version 99, this is version {VERSION}" in refusal(config)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "3", '{"version": 1}', '{"version": 1, "settings": 5}', '{"version": 1, "settings": {}}'],
)
def test_a_damaged_manifest_is_one_line(workspace, config, made, content):
    (workspace.processed / "manifest.json").write_text(content)
    assert str(workspace.processed) in refusal(config)


@pytest.mark.parametrize("lost", ["settings", "inputs", "categories"])
def test_a_manifest_that_lost_a_part_is_one_line(workspace, config, made, lost):
    path = workspace.processed / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest[lost]
    path.write_text(json.dumps(manifest))
    assert str(workspace.processed) in refusal(config)


FILES = [f"{name}.npy" for name in (*ARRAYS, "vectors")] + ["documents.jsonl", "lexicon.txt", "vocabulary.txt"]


@pytest.mark.parametrize("kept", [0, 0.5])
@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_is_never_used(workspace, config, made, name, kept):
    path = workspace.processed / name
    raw = path.read_bytes()
    path.write_bytes(raw[: int(kept * len(raw))])
    message = refusal(config)
    assert str(workspace.processed) in message or "vocabulary" in message


@pytest.mark.parametrize("name", [name for name in FILES if name != "vectors.npy"])
def test_a_file_that_is_missing_is_named(workspace, config, made, name):
    (workspace.processed / name).unlink()
    assert name in refusal(config)


def test_a_document_lost_at_the_end_of_a_line_is_noticed(workspace, config, made):
    path = workspace.processed / "documents.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert "documents.jsonl: damaged or cut short" in refusal(config)
    manifest = read_sealed(workspace.processed / "manifest.json", "")
    del manifest["files"]  # as versions without digests wrote it
    (workspace.processed / "manifest.json").write_text(json.dumps(manifest))
    assert "do not fit together" in refusal(config)


@pytest.mark.parametrize("line", ["[]", "{}", '{"part": "train"}'])
def test_a_document_of_another_shape_is_one_line(workspace, config, made, line):
    path = workspace.processed / "documents.jsonl"
    path.write_text(line + "\n")
    assert "damaged" in refusal(config)


def test_a_damaged_folder_is_made_again(workspace, config, made, capsys):
    (workspace.processed / "manifest.json").write_text("[]")
    prepare(config)
    load_processed(config)
    assert "up to date" not in capsys.readouterr().out
