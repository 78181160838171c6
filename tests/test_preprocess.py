import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import data.processing
import preprocess
from config import load_config
from data.corpus.document import Document, category_counts
from data.processed import load_processed
from data.spans import Span
from tests.preprocess_command import left_over, refused, write_jsonl

ROOT = Path(__file__).parents[1]


def config_of(workspace, *overrides):
    return load_config([workspace.settings], list(overrides))


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
    overrides = [f"data.dev={dev}", f"data.additional=[{extra}]", "data.allow_unlabelled=true"]
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
    overrides += ["lexicon.match=all", "data.allow_unlabelled=true"]
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
    assert f"{path}: has no vector for any of the 3 words" in err


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

    from data.lattice.tokenizer import SPECIALS

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
    assert f"{path}: no labels in it" in refused(run, workspace, f"data.train={path}")
    message = refused(run, workspace, f"data.train={path}", "data.allow_unlabelled=true")
    assert f"{path}: no labelled span in the training corpus" in message


def test_a_text_in_gbk_names_the_file_and_how_to_convert_it(run, workspace):
    (workspace.texts / "0.txt").write_bytes("中文文本".encode("gbk"))
    message = refused(run, workspace)
    assert "0.txt: not UTF-8 at byte 0" in message
    assert "GBK" in message


def test_label_files_without_their_columns_show_their_header(run, workspace):
    for file in workspace.labels.glob("*.csv"):
        file.write_text("a,b\n1,2\n")
    message = refused(run, workspace)
    assert "label file without its columns 8; first" in message
    assert "0.csv: label file without its columns: its header is 'a,b', expected ID,Category,Pos_b,Pos_e,Pri" in message


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

    monkeypatch.setattr(data.processing, "read_corpora", work)
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

    monkeypatch.setattr("data.processed.np.save", stop)
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

    monkeypatch.setattr("data.processed.np.save", full)
    assert preprocess.main(["--config", str(workspace.settings)]) == 2
    assert list(workspace.processed.parent.iterdir()) == []


# ------------------------------------------------------------------------------------------------------------- imports


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
