import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import preprocess
from config import load_config
from data import corpus_commands
from utils.preprocess.document import Document, Span, category_counts, to_json
from utils.preprocess.processed import load_processed

ROOT = Path(__file__).parents[1]


@pytest.fixture
def run(workspace, capsys):
    """Runs the command line; gives its exit status, standard output and standard error."""

    def run_main(*overrides, arguments=()):
        sets = [text for override in overrides for text in ("--set", override)]
        status = preprocess.main(["--config", str(workspace.settings), *sets, *arguments])
        output = capsys.readouterr()
        return status, output.out, output.err

    return run_main


def config_of(workspace, *overrides):
    return load_config([workspace.settings], list(overrides))


def write_jsonl(path, documents):
    path.write_text("".join(to_json(document) + "\n" for document in documents), encoding="utf-8")
    return path


def left_over(workspace):
    """What a failed run must not leave behind."""
    return sorted(str(path) for path in workspace.folder.rglob(".*"))


# ---------------------------------------------------------------------------------------------------------- main path


def test_makes_the_folder_and_reports_what_is_in_it(workspace, run):
    status, out, err = run()
    assert (status, err) == (0, "")
    processed = load_processed(config_of(workspace))
    assert processed.documents == workspace.documents
    assert set(processed.parts) == {"train"}
    assert processed.categories == sorted(category_counts(workspace.documents))
    spans = sum(len(document.spans) for document in workspace.documents)
    characters = sum(len(document.text) for document in workspace.documents)
    assert ["train", "8", str(len(processed.segments)), str(characters), str(spans)] in [
        line.split() for line in out.splitlines()
    ]
    assert out.splitlines()[-1] == "dropped nothing"
    assert "vectors are random" in out
    assert left_over(workspace) == []


def test_segments_rejoin_to_the_documents_and_hold_every_span_whole(workspace, run):
    run()
    processed = load_processed(config_of(workspace))
    texts = [""] * len(processed.documents)
    whole = set()
    for number, begin, end in processed.segments.tolist():
        assert 0 < end - begin <= 80
        texts[number] += processed.documents[number].text[begin:end]
        whole |= {(number, s) for s in processed.documents[number].spans if begin <= s.begin and s.end < end}
    assert texts == [document.text for document in processed.documents]
    assert whole == {(number, span) for number, d in enumerate(processed.documents) for span in d.spans}
    assert len(processed.segments) > len(processed.documents)


def test_the_second_run_finds_everything_up_to_date(workspace, run):
    run()
    before = {path: path.stat().st_mtime_ns for path in workspace.processed.iterdir()}
    status, out, _ = run()
    assert status == 0
    assert out == f"{workspace.processed} is up to date\n"
    assert {path: path.stat().st_mtime_ns for path in workspace.processed.iterdir()} == before


def test_force_and_a_changed_input_make_it_again(workspace, run):
    run()
    assert "up to date" not in run(arguments=["--force"])[1]
    assert "up to date" in run()[1]
    path = workspace.labels / "0.csv"
    path.write_text("ID,Category,Pos_b,Pos_e,Privacy\n")
    assert "up to date" not in run()[1]
    assert load_processed(config_of(workspace)).documents[0].spans == ()


def test_the_same_input_gives_the_same_bytes(workspace, run, vectors_of):
    """With other seeds and precisions too, which runs that share the processed data may have."""
    path = vectors_of(dict.fromkeys(("公司", "先生", "有限公司"), (1, 2, 3)))
    overrides = ["lexicon.match=all", "lexicon.vectors=file", f"lexicon.path={path}"]
    run(*overrides)
    first = {path.name: path.read_bytes() for path in workspace.processed.iterdir()}
    run(*overrides, "run.seed=7", "train.precision=bf16", arguments=["--force"])
    assert {path.name: path.read_bytes() for path in workspace.processed.iterdir()} == first


def test_parts_come_one_after_the_other(workspace, run, tmp_path):
    paths = {
        part: write_jsonl(tmp_path / f"{part}.jsonl", [Document("0", f"这是{part}的名字", (Span("name", 0, 1),))])
        for part in ("dev", "test", "unlabelled")
    }
    status, out, _ = run(*(f"data.{part}={path}" for part, path in paths.items()))
    assert status == 0
    processed = load_processed(config_of(workspace, *(f"data.{part}={path}" for part, path in paths.items())))
    assert processed.parts == ["train"] * 8 + ["dev", "test", "unlabelled"]
    assert [processed.documents[n].text for n in processed.of_part("test")] == ["这是test的名字"]
    assert processed.manifest["report"]["parts"]["dev"] == {"documents": 1, "segments": 1, "characters": 8, "spans": 1}
    assert "spans, dev: name 1" in out


def test_unlabelled_texts_need_no_label_file_where_others_have_one(workspace, run):
    (workspace.labels / "3.csv").unlink()
    status, out, _ = run(f"data.unlabelled={workspace.texts}")
    assert status == 0
    processed = load_processed(config_of(workspace, f"data.unlabelled={workspace.texts}"))
    assert processed.parts == ["train"] * 7 + ["unlabelled"] * 8
    assert out.splitlines()[-1] == "dropped 1: document without a label file 1"


def test_additional_corpora_join_with_their_categories_renamed(workspace, run, tmp_path):
    extra = Document("0", "张三住在北京", (Span("LOC", 4, 5), Span("MISC", 2, 2), Span("PER", 0, 1)))
    path = write_jsonl(tmp_path / "extra.jsonl", [extra])
    override = f"data.additional=[{{path: {path}, categories: {{PER: name, LOC: }}}}]"
    status, out, _ = run(override)
    assert status == 0
    processed = load_processed(config_of(workspace, override))
    (number,) = processed.of_part("additional")
    assert processed.documents[number].spans == (Span("name", 0, 1),)
    assert "MISC" not in processed.categories
    assert out.splitlines()[-1] == "dropped 1: unknown category 1"  # MISC; LOC was dropped because it was asked for
    assert "extra.jsonl, document 0: unknown category: MISC '住'" in out


def test_chosen_categories_keep_their_order_and_others_are_reported(workspace, run):
    status, out, _ = run("data.categories=[name, company]")
    assert status == 0
    processed = load_processed(config_of(workspace, "data.categories=[name, company]"))
    assert processed.categories == ["name", "company"]
    assert {span.category for document in processed.documents for span in document.spans} == {"name", "company"}
    others = sum(s.category not in ("name", "company") for d in workspace.documents for s in d.spans)
    assert out.splitlines()[-1] == f"dropped {others}: unknown category {others}"


@pytest.mark.parametrize(
    ("spans", "cut"),
    [
        ((Span("book", 5, 120), Span("name", 0, 1)), "book 5 to 120"),
        # A chain of 90 characters, whose spans have 31 and 30: the first 80 are a segment.
        ((Span("book", 5, 35), Span("name", 35, 65), Span("book", 65, 94)), "book 65 to 94"),
    ],
)
def test_a_span_that_no_segment_holds_is_reported(workspace, run, tmp_path, spans, cut):
    path = write_jsonl(tmp_path / "long.jsonl", [Document("7", "长" * 200, spans)])
    status, out, _ = run(f"data.train={path}")
    assert status == 0
    reason = "span longer than a segment, alone or with those that overlap it"
    assert f"document 7: {reason}: {cut}" in out
    assert out.splitlines()[-1] == f"dropped 1: {reason} 1"
    report = load_processed(config_of(workspace, f"data.train={path}")).manifest["report"]
    assert report["spans_that_no_segment_holds"] == 1


def test_labels_that_do_not_fit_are_reported_with_file_and_line_and_counted_last(workspace, run):
    path = workspace.labels / "0.csv"
    path.write_text("ID,Category,Pos_b,Pos_e,Privacy\n0,name,0,1,错误\n0,name,0,99999,x\n", encoding="utf-8")
    status, out, _ = run()
    assert status == 0
    assert f"{path}:2: label text differs" in out
    assert f"{path}:3: offsets outside the text" in out
    assert out.splitlines()[-1].startswith("dropped 2: ")


def test_odd_texts_are_kept_as_they_are(workspace, run, tmp_path):
    texts = ["😀👨‍👩‍👧🏽", "𠮷𠀀龘", "\u2028\x85甲", "e\u0301" * 100, "字" * 100_000, "a\r\nb\r\n甲"]
    documents = [Document(str(n), text, (Span("name", 0, 0),)) for n, text in enumerate(texts)]
    path = write_jsonl(tmp_path / "odd.jsonl", [*documents, Document("9", " \n\u3000"), Document("10", "")])
    status, out, _ = run(f"data.train={path}")
    assert status == 0
    processed = load_processed(config_of(workspace, f"data.train={path}"))
    assert [document.text for document in processed.documents] == texts
    assert [processed.lattices.length(n) for n in range(6)] == [len(text) for text in texts]
    assert out.splitlines()[-1] == "dropped 2: empty text 2"


def test_a_scratch_encoder_learns_the_characters_of_training_texts_alone(workspace, run, tmp_path):
    dev = write_jsonl(tmp_path / "dev.jsonl", [Document("0", "鬱鬱鬱")])
    extra = write_jsonl(tmp_path / "extra.jsonl", [Document("0", "龘龘龘靐")])
    overrides = [f"data.dev={dev}", f"data.additional=[{extra}]"]
    assert run(*overrides)[0] == 0
    vocabulary = load_processed(config_of(workspace, *overrides)).vocabulary
    assert vocabulary.row("龘") != vocabulary.unknown
    assert vocabulary.row("鬱") == vocabulary.row("靐") == vocabulary.unknown


# -------------------------------------------------------------------------------------------------- words and vectors


def test_random_vectors_are_only_for_words_of_training_texts(workspace, run, tmp_path):
    train = write_jsonl(tmp_path / "train.jsonl", [Document("0", "我在北京大学", (Span("name", 2, 5),))])
    dev = write_jsonl(tmp_path / "dev.jsonl", [Document("0", "北京和上海")])
    more = write_jsonl(tmp_path / "more.jsonl", [Document("0", "广州")])
    extra = write_jsonl(tmp_path / "extra.jsonl", [Document("0", "深圳")])
    overrides = [f"data.train={train}", f"data.dev={dev}", f"data.unlabelled={more}", f"data.additional=[{extra}]"]
    overrides.append("lexicon.match=all")
    assert run(*overrides)[0] == 0
    processed = load_processed(config_of(workspace, *overrides))
    assert set(processed.lexicon.words) == {"北京", "大学", "北京大学", "深圳"}
    assert processed.vectors is None
    dev_slice = processed.lattices.slice(*processed.of_part("dev"), 0, 5)
    assert [processed.lexicon.words[word - 1] for word in dev_slice.words] == ["北京"]
    assert (dev_slice.heads.tolist(), dev_slice.tails.tolist()) == ([0], [1])
    train_slice = processed.lattices.slice(0, 0, 6)
    found = [processed.lexicon.words[word - 1] for word in train_slice.words]
    assert found == ["北京", "北京大学", "大学"]


@pytest.fixture
def vectors_of(tmp_path):
    """Writes a text file of vectors in an order of its own."""

    def write(words, dimension=3):
        lines = [f"{word} {' '.join(str(value) for value in vector)}\n" for word, vector in words.items()]
        random.Random(5).shuffle(lines)
        path = tmp_path / "words.vec"
        path.write_text(f"{len(lines)} {dimension}\n" + "".join(lines), encoding="utf-8")
        return path

    return write


def test_vectors_from_a_file_stand_in_the_rows_of_their_words(workspace, run, tmp_path, vectors_of):
    train = write_jsonl(tmp_path / "train.jsonl", [Document("0", "我在北京大学读过书", (Span("name", 2, 5),))])
    more = write_jsonl(tmp_path / "more.jsonl", [Document("0", "广州与深圳")])
    known = {"大学": (1, 2, 3), "北京": (4, 5, 6), "广州": (7, 8, 9), "无关": (0, 0, 0), "深圳": (-1, -2, -3)}
    path = vectors_of(known)
    overrides = [f"data.train={train}", f"data.unlabelled={more}", "lexicon.match=all", "lexicon.vectors=file"]
    overrides.append(f"lexicon.path={path}")
    status, out, _ = run(*overrides)
    assert status == 0
    processed = load_processed(config_of(workspace, *overrides))
    words = processed.lexicon.words
    assert set(words) == {"北京", "大学", "北京大学", "广州", "深圳"}
    assert processed.vectors.shape == (5, 3)
    assert processed.vectors.dtype == np.float32
    for word, vector in zip(words, processed.vectors, strict=True):
        if word in known:
            assert tuple(vector) == known[word]
        else:
            assert np.isfinite(vector).all()
            assert np.abs(vector).sum() > 0
    assert processed.manifest["report"]["vector_coverage"] == 4 / 5
    assert "vectors for 80.0% of the words" in out


def test_a_vector_file_that_knows_none_of_the_words_is_refused(workspace, run, tmp_path, vectors_of):
    train = write_jsonl(tmp_path / "train.jsonl", [Document("0", "我在北京大学读过书", (Span("name", 2, 5),))])
    path = vectors_of({"无关": (1, 2, 3)})
    status, _, err = run(f"data.train={train}", "lexicon.match=all", "lexicon.vectors=file", f"lexicon.path={path}")
    assert status == 2 and err.count("\n") == 1
    assert f"{path}: has a vector for none of the 3 words" in err


def test_the_words_of_a_vector_file_can_be_the_lexicon(workspace, run, tmp_path, vectors_of):
    train = write_jsonl(tmp_path / "train.jsonl", [Document("0", "我在北京大学读过书", (Span("name", 2, 5),))])
    path = vectors_of({"在北": (1, 2, 3), "过书": (4, 5, 6), "京": (7, 8, 9), "无关": (0, 0, 0)})
    overrides = [f"data.train={train}", "lexicon.match=all", "lexicon.source=vectors", "lexicon.vectors=file"]
    overrides.append(f"lexicon.path={path}")
    status, out, _ = run(*overrides)
    assert status == 0
    processed = load_processed(config_of(workspace, *overrides))
    assert dict(zip(processed.lexicon.words, processed.vectors.tolist(), strict=True)) == {
        "在北": [1, 2, 3],
        "过书": [4, 5, 6],
    }
    assert "vectors for 100.0% of the words" in out


def test_vectors_from_the_encoder_are_its_mean_states(workspace, run, tmp_path):
    import torch
    import transformers

    from utils.preprocess.tokenizer import SPECIALS

    tokens = [*SPECIALS, *"我在北京大学读过书"]
    folder = tmp_path / "encoder"
    torch.manual_seed(1)
    shape = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    bert = transformers.BertModel(transformers.BertConfig(vocab_size=len(tokens), **shape)).eval()
    bert.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    train = write_jsonl(tmp_path / "train.jsonl", [Document("0", "我在北京大学读过书", (Span("name", 2, 5),))])
    overrides = [f"data.train={train}", "lexicon.match=all", "lexicon.vectors=encoder", f"encoder.name={folder}"]
    assert run(*overrides, "run.device=cpu")[0] == 0
    processed = load_processed(config_of(workspace, *overrides))
    words = processed.lexicon.words
    assert "北京大学" in words

    def state(word):
        rows = torch.tensor([[tokens.index(token) for token in ("[CLS]", *word, "[SEP]")]])
        with torch.no_grad():
            return bert(rows).last_hidden_state[0, 1:-1].mean(dim=0).numpy()

    expected = np.stack([state(word) for word in words])
    expected = (expected - expected.mean(axis=0)) / expected.std()
    np.testing.assert_allclose(processed.vectors, expected, rtol=1e-3, atol=1e-4)
    assert processed.manifest["report"]["vector_coverage"] == 1.0


# ---------------------------------------------------------------------------------------------------------- bad input


def refused(run, workspace, *overrides, arguments=()):
    """The one line of a refused run, which leaves nothing half-written."""
    status, out, err = run(*overrides, arguments=arguments)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("preprocess.py: ")
    assert "Traceback" not in err
    assert left_over(workspace) == []
    return err


def test_a_missing_corpus_is_one_line(run, workspace):
    for part in ("train", "dev", "test", "unlabelled"):
        assert "/no/such/place: no such file or folder" in refused(run, workspace, f"data.{part}=/no/such/place")
    assert "/no/such/place" in refused(run, workspace, "data.additional=[/no/such/place]")
    assert "data.train is empty" in refused(run, workspace, "data.train=")
    assert not workspace.processed.exists()


def test_missing_labels_are_one_line(run, workspace):
    assert "/no/labels" in refused(run, workspace, "data.train.labels=/no/labels")


def test_a_corpus_without_a_single_label_is_one_line(run, workspace, tmp_path):
    path = write_jsonl(tmp_path / "bare.jsonl", [Document("0", "没有标签")])
    assert f"{path}: no labelled span" in refused(run, workspace, f"data.train={path}")


def test_a_text_in_gbk_names_the_file_and_how_to_convert_it(run, workspace):
    (workspace.texts / "0.txt").write_bytes("中文文本".encode("gbk"))
    message = refused(run, workspace)
    assert "0.txt: not UTF-8 at byte 0" in message
    assert "GBK" in message


def test_a_label_file_without_its_columns_names_them(run, workspace):
    (workspace.labels / "0.csv").write_text("a,b\n1,2\n")
    assert "no column Category, Pos_b, Pos_e, Privacy" in refused(run, workspace)


@pytest.mark.parametrize("used", ["lexicon.match=none", "lexicon.match=all lexicon.source=vectors"])
def test_a_missing_vector_file_is_one_line(run, workspace, used):
    """Even where the settings make no use of it."""
    message = refused(run, workspace, "lexicon.vectors=file", "lexicon.path=/no/vectors", *used.split())
    assert "/no/vectors: no such" in message


def test_an_unknown_setting_is_one_line(run, workspace):
    assert "did you mean data.max_len?" in refused(run, workspace, "data.maxlen=3")


def test_settings_without_a_file_are_one_line(workspace, capsys):
    for arguments in ([], ["--config", "none.yaml"]):
        assert preprocess.main(arguments) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("place", ["file", "file/deeper"])
def test_an_output_folder_that_cannot_be_is_one_line(run, workspace, place):
    (workspace.folder / "file").write_text("mine")
    message = refused(run, workspace, f"data.processed={workspace.folder / place}")
    assert "cannot be written" in message
    assert "choose another folder" in message
    assert (workspace.folder / "file").read_text() == "mine"


def test_a_file_in_place_of_the_processed_folder_stays(run, workspace):
    workspace.processed.parent.mkdir()
    workspace.processed.write_text("mine")
    assert "cannot be written" in refused(run, workspace)
    assert workspace.processed.read_text() == "mine"


@pytest.mark.parametrize("place", [".", "train_data", "mine"])
def test_a_folder_of_other_things_is_never_replaced(run, workspace, place):
    (workspace.folder / "mine").mkdir()
    (workspace.folder / "mine" / "vectors_of_mine.npy").write_text("mine")
    before = sorted(workspace.folder.rglob("*"))
    for arguments in ((), ("--force",)):
        message = refused(run, workspace, f"data.processed={workspace.folder / place}", arguments=arguments)
        assert "would be lost" in message and "data.processed" in message
    assert sorted(workspace.folder.rglob("*")) == before


def test_an_output_that_cannot_be_is_noticed_before_the_work(run, workspace, monkeypatch):
    def work(*_):
        raise AssertionError("corpora were read")

    monkeypatch.setattr(preprocess, "read_documents", work)
    (workspace.folder / "file").write_text("mine")
    refused(run, workspace, f"data.processed={workspace.folder}/file/deeper")


def test_a_linked_folder_stays_a_link(run, workspace):
    (workspace.folder / "disk").mkdir()
    link = workspace.folder / "link"
    link.symlink_to(workspace.folder / "disk")
    assert run(f"data.processed={link}")[0] == run(f"data.processed={link}", arguments=["--force"])[0] == 0
    assert link.is_symlink()
    assert (workspace.folder / "disk" / "manifest.json").exists()


def test_ctrl_c_is_one_line_and_keeps_the_folder_of_the_last_run(run, workspace, monkeypatch):
    run()
    before = {path.name: path.read_bytes() for path in workspace.processed.iterdir()}

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("utils.preprocess.processed.np.save", stop)
    status, _, err = run(arguments=["--force"])
    assert (status, err) == (130, "preprocess.py: stopped; nothing was written\n")
    assert {path.name: path.read_bytes() for path in workspace.processed.iterdir()} == before
    assert left_over(workspace) == []


def test_categories_that_no_label_has_are_one_line(run, workspace):
    message = refused(run, workspace, "data.categories=[nmae]")
    assert "no span of data.categories nmae" in message


def test_a_run_that_fails_keeps_the_folder_of_the_last_one(run, workspace):
    run()
    before = {path.name: path.read_bytes() for path in workspace.processed.iterdir()}
    (workspace.texts / "0.txt").write_bytes(b"\xff\xff")
    refused(run, workspace)
    assert {path.name: path.read_bytes() for path in workspace.processed.iterdir()} == before


def test_writing_that_breaks_off_leaves_nothing_behind(workspace, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("utils.preprocess.processed.np.save", full)
    assert preprocess.main(["--config", str(workspace.settings)]) == 2
    assert list(workspace.processed.parent.iterdir()) == []


# -------------------------------------------------------------------------------------------------------------- leaks


@pytest.fixture
def leaking(workspace, tmp_path):
    """Overrides that name a test corpus, two additional ones and an unlabelled one, which share text with train."""
    texts = [document.text for document in workspace.documents]
    corpora = {
        "test": [texts[0], "谁也没有说过的一句话而已"],
        "first": [text[:30] for text in texts],
        "second": ["另外一句谁也没有说过的话"],
        "unlabelled": [texts[1] + texts[2]],
    }
    paths = {
        name: write_jsonl(tmp_path / f"{name}.jsonl", [Document(str(n), text) for n, text in enumerate(some)])
        for name, some in corpora.items()
    }
    return (f"data.test={paths['test']}", f"data.additional=[{paths['first']}, {paths['second']}]",
            f"data.unlabelled={paths['unlabelled']}", "data.dev_share=0.25")  # fmt: skip


def test_leakcheck_holds_every_corpus_against_every_other(workspace, run, leaking, tmp_path):
    status, out, err = run(*leaking, arguments=("--leakcheck",))
    assert (status, err) == (0, "")
    names = ["train", "dev part", "test", "additional[0]", "additional[1]", "unlabelled"]
    rows = [line for line in out.splitlines() if line.endswith("%")]
    assert len(rows) == len(names) * (len(names) - 1)
    assert all(any(row.startswith(f"{name} ") for row in rows) for name in names)
    assert "additional[0] 0 and test 0 share " in out
    assert out.splitlines()[-1].startswith("30 pairs of corpora in ")
    assert out.splitlines()[-1].endswith("dropped nothing")
    assert not workspace.processed.exists()
    assert left_over(workspace) == []


def test_leakcheck_writes_all_of_it(run, leaking, tmp_path):
    output = tmp_path / "deeper" / "leaks.json"
    status, out, _ = run(*leaking, arguments=("--leakcheck", "--output", str(output)))
    assert status == 0 and out.splitlines()[-1] == f"leaks: {output}"
    written = json.loads(output.read_text(encoding="utf-8"))
    assert written["duplicate_share"] == 0.5 and len(written["pairs"]) == 30
    (pair,) = (pair for pair in written["pairs"] if (pair["own"], pair["other"]) == ("test", "additional[0]"))
    assert (pair["documents"], pair["leaking"], pair["leaking_share"]) == (2, ["0"], 0.5)
    assert pair["shared_share"] == pair["shared"] / pair["characters"] > 0
    assert pair["examples"][0].keys() == {"own", "other", "stretch"}
    assert [path.name for path in output.parent.iterdir()] == ["leaks.json"]


def test_leakcheck_that_cannot_be_is_one_line(run, workspace, tmp_path, monkeypatch):
    alone = ("data.dev_share=0", "train.select=last")
    assert "fewer than two" in refused(run, workspace, *alone, arguments=("--leakcheck",))
    assert "fewer than two" in refused(run, workspace, "data.train=", arguments=("--leakcheck",))
    assert "/no/such/place" in refused(run, workspace, "data.test=/no/such/place", arguments=("--leakcheck",))
    assert "leaves no dev" in refused(run, workspace, "data.dev_share=0.01", arguments=("--leakcheck",))
    monkeypatch.setattr(corpus_commands, "corpora_by_name", None)  # what follows is noticed before any corpus is read
    (tmp_path / "file").write_text("mine")
    message = refused(run, workspace, arguments=("--leakcheck", "--output", str(tmp_path / "file" / "deeper")))
    assert "cannot be written" in message
    assert "is a folder" in refused(run, workspace, arguments=("--leakcheck", "--output", str(tmp_path)))


# -------------------------------------------------------------------------------------------------------------- noise


def test_noise_writes_a_copy_and_says_what_was_changed(workspace, capsys, tmp_path):
    folder = tmp_path / "noisy"
    arguments = ["--noise", str(workspace.texts), "--output", str(folder), "--noise-missing", "0.3"]
    arguments += ["--noise-rate", "name:missing=0.9", "company:missing=0", "--noise-rate", "name:type=0.5"]
    assert preprocess.main([*arguments, "--seed", "1"]) == 0
    out = capsys.readouterr().out.splitlines()
    labels = sum(len(document.spans) for document in workspace.documents)
    record = json.loads((folder / "noise.json").read_text(encoding="utf-8"))
    assert out[-3].split()[:2] == ["all", str(labels)]
    assert out[-2].startswith(f"wrote {folder}: 8 documents with {labels} true labels (truth.jsonl) and ")
    assert out[-1] == "dropped nothing"
    assert (record["seed"], record["rates"]["missing"]) == (1, 0.3)
    assert [record["category_rates"][name]["missing"] for name in ("name", "company")] == [0.9, 0]
    assert record["category_rates"]["name"]["type"] == 0.5
    first = (folder / "noisy.jsonl").read_bytes()
    assert preprocess.main([*arguments, "--seed", "0"]) == 0 and (folder / "noisy.jsonl").read_bytes() != first
    assert json.loads((folder / "noise.json").read_text(encoding="utf-8"))["seed"] == 0


def test_noise_reads_labels_and_formats_as_told(workspace, capsys, tmp_path):
    elsewhere = workspace.labels.rename(workspace.folder / "elsewhere")
    arguments = ["--noise", str(workspace.texts), "--output", str(tmp_path / "noisy"), "--noise-type", "0.3"]
    assert preprocess.main(arguments) == 2
    assert "no labelled span" in capsys.readouterr().err
    assert preprocess.main([*arguments, "--format", "bmes"]) == 2
    assert "cannot be read as a text file" in capsys.readouterr().err
    assert preprocess.main([*arguments, "--labels", str(elsewhere), "--format", "ccf"]) == 0


@pytest.mark.parametrize(
    ("arguments", "telling"),
    [
        ("--noise-type 0.3", "--noise needs --output FOLDER"),
        ("--output out", "all noise rates are 0"),
        ("--output out --noise-type 1", "noise rate type is 1.0"),
        ("--output out --noise-rate nmae:type=0.5", "did you mean name?"),
        ("--output out --noise-type 0.3 --config a.yaml", "--config does not belong to --noise"),
        ("--output out --noise-type 0.3 --sample 6", "--sample does not belong to --noise; give one of them"),
        ("--output out --noise-type 0.3 --leakcheck", "--noise does not belong to --leakcheck; give one of them"),
        ("--output out --noise-type 0.3 --format csv", "invalid choice: 'csv'"),
    ],
)
def test_noise_that_cannot_be_is_one_line(workspace, capsys, tmp_path, monkeypatch, arguments, telling):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert preprocess.main(["--noise", str(workspace.texts), *arguments.split()]) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("\n") == 1 and telling in output.err
    assert sorted(tmp_path.rglob("*")) == before


# ------------------------------------------------------------------------------------------------- sample, and torch


def test_the_sample_corpus_is_written_and_named_in_one_line(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "sample"
    arguments = ["--sample", "6", "--sample-folder", str(folder), "--noise-missing", "0.3"]
    assert preprocess.main(arguments) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"wrote {folder}: 6 training documents with ")
    assert out.count("\n") == 1
    assert len(list((folder / "train_data").iterdir())) == 6
    assert len(list((folder / "test_data").iterdir())) == 2
    assert (folder / "train_label_clean").is_dir()
    monkeypatch.chdir(tmp_path)
    assert preprocess.main(["--sample", "6", "--sample-folder", "other"]) == 0
    assert capsys.readouterr().out.startswith("wrote other: ")
    assert preprocess.main(arguments) == 0
    assert "already there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "telling"),
    [
        ("", "nothing to do"),
        ("--set data.max_len=70", "nothing to do"),
        ("--seed 3", "nothing to do"),
        ("--leakcheck --sample 6", "--sample does not belong to --leakcheck; give one of them"),
        ("--config a.yaml --leakcheck --force", "--force does not belong to --leakcheck, but to --sample and --config"),
        ("--leakcheck --noise-type 0", "--noise-type does not belong to --leakcheck, but to --noise and --sample"),
        ("--config a.yaml --output b", "--output does not belong to --config, but to --leakcheck and --noise"),
        ("--sample 6 --output b", "--output does not belong to --sample, but to --leakcheck and --noise"),
        ("--sample 6 --noise-rate a:type=0.1", "--noise-rate does not belong to --sample, but to --noise"),
        ("--config a.yaml --seed 0", "--seed does not belong to --config, but to --noise and --dictionary and"),
        ("--config a.yaml --sample-folder b", "--sample-folder does not belong to --config, but to --sample"),
        ("--sample 0", "needs at least 4"),
    ],
)
def test_flags_that_do_not_belong_together_are_one_line(tmp_path, capsys, monkeypatch, arguments, telling):
    monkeypatch.chdir(tmp_path)
    assert preprocess.main(arguments.split()) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("\n") == 1 and telling in output.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--sample", "3"], ["--sample", "-1"], ["--sample", "9", "--noise-type", "2"]])
def test_an_impossible_sample_is_one_line(tmp_path, capsys, arguments):
    assert preprocess.main([*arguments, "--sample-folder", str(tmp_path / "sample")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_sample_and_preprocessing_in_one_call(workspace, capsys):
    folder = workspace.folder / "sample"
    arguments = ["--sample", "6", "--sample-folder", str(folder), "--config", str(workspace.settings)]
    assert preprocess.main([*arguments, "--set", f"data.train={folder / 'train_data'}"]) == 0
    assert "dropped nothing" in capsys.readouterr().out


def test_a_dictionary_is_taken_out_of_a_part_of_the_labels(workspace, tmp_path, capsys):
    output = tmp_path / "half.tsv"
    arguments = ["--dictionary", str(workspace.texts), "--output", str(output), "--share", "0.5", "--seed", "1"]
    assert preprocess.main(arguments) == 0
    ids = (tmp_path / "half.documents").read_text(encoding="utf-8").split("\n")[:-1]
    chosen = [document for document in workspace.documents if document.id in ids]
    assert len(ids) == len(chosen) == 4
    forms = {(one.text[span.begin : span.end + 1], span.category) for one in chosen for span in one.spans}
    taken = {tuple(line.split("\t")) for line in output.read_text(encoding="utf-8").split("\n")[:-1]}
    ambiguous = {form for form, category in forms for other, own in forms if form == other and category != own}
    assert taken == {(form, category) for form, category in forms if form not in ambiguous and len(form) > 1}
    out = capsys.readouterr().out
    assert f"{len(taken)} surface forms of 4 of 8 documents" in out and out.endswith("dropped nothing\n")
    before = output.read_bytes()
    assert preprocess.main(arguments) == 0 and output.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "telling"),
    [
        ([], "--dictionary needs --output"),
        (["--output", "OUT", "--share", "0"], "--share 0.0"),
        (["--output", "OUT", "--share", "1.5"], "--share 1.5"),
        (["--output", "."], ".: is a folder; name a file"),
        (["--output", "/"], "/: is a folder; name a file"),
        (["--output", "settings.yaml/half.tsv"], "settings.yaml: cannot be written (Not a directory)"),
    ],
)
def test_a_dictionary_that_cannot_be_taken_is_one_line(workspace, tmp_path, capsys, monkeypatch, arguments, telling):
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "half.tsv"
    own = [str(output) if argument == "OUT" else argument for argument in arguments]
    assert preprocess.main(["--dictionary", str(workspace.texts), *own]) == 2
    err = capsys.readouterr().err
    assert telling in err and err.count("\n") == 1
    assert list(tmp_path.glob("half*")) == []


def test_a_dictionary_out_of_a_corpus_without_labels_is_one_line(tmp_path, capsys):
    bare = write_jsonl(tmp_path / "bare.jsonl", [Document("0", "天地玄黄")])
    assert preprocess.main(["--dictionary", str(bare), "--output", str(tmp_path / "half.tsv")]) == 2
    assert "no label to take a surface form from" in capsys.readouterr().err


def test_preprocessing_never_loads_torch_unless_the_encoder_makes_the_vectors(workspace):
    program = (
        "import preprocess, sys\n"
        "heavy = {'torch', 'transformers', 'accelerate', 'huggingface_hub'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        f"assert preprocess.main(['--config', {str(workspace.settings)!r}]) == 0\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
