"""What preprocess.py does for corpora apart from preparing them: leaks, noise, the sample, dictionaries."""

import json

import pytest

import preprocess
from config import CorpusConfig
from data.corpus.document import Document
from data.corpus.formats import read_corpus
from data.problems import Problems
from experiments import corpus_commands
from tests.preprocess_command import left_over, refused, write_jsonl
from utils.errors import UserError

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
    assert out[-4].split()[:2] == ["all", str(labels)]
    assert out[-3].startswith(f"wrote {folder}: 8 documents with {labels} true labels (truth.jsonl) and ")
    assert out[-2:] == [f"  {workspace.texts}: read as ccf", "dropped nothing"]
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
    assert "no labels in it" in capsys.readouterr().err
    assert preprocess.main([*arguments, "--format", "bmes"]) == 2
    assert "is a folder, and a file was expected" in capsys.readouterr().err
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


# ------------------------------------------------------------------------------------------------ sample, dictionary


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
    (folder / "half.tsv").write_text("张三\tname\n", encoding="utf-8")  # which would be lost only if it were replaced
    assert preprocess.main(arguments) == 0
    assert "already there" in capsys.readouterr().out
    assert preprocess.main([*arguments, "--seed", "3"]) == 2
    assert "half.tsv, and a sample would replace it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "telling"),
    [
        ("", "nothing to do"),
        ("--set data.max_len=70", "nothing to do"),
        ("--seed 3", "nothing to do"),
        ("--leakcheck --sample 6", "--sample does not belong to --leakcheck; give one of them"),
        ("--config a.yaml --leakcheck --force", "--force does not belong to --leakcheck, but to --sample and --config"),
        ("--leakcheck --noise-type 0", "--noise-type does not belong to --leakcheck, but to --noise and --sample"),
        (
            "--config a.yaml --output b",
            "--output does not belong to --config, but to --leakcheck and --convert",
        ),
        ("--sample 6 --output b", "--output does not belong to --sample, but to --leakcheck and --convert and --noise"),
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
        (["--output", "half.documents"], "half.documents: is where the ids of the documents go"),
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
    assert "bare.jsonl: no labels in it" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------------- convert


def convert(corpus, to, output, *flags):
    return preprocess.main(["--convert", str(corpus), "--to", to, "--output", str(output), *flags])


def test_convert_writes_a_corpus_that_reads_back(workspace, capsys, tmp_path):
    output = tmp_path / "new" / "corpus.jsonl"
    assert convert(workspace.texts, "jsonl", output, "--labels", str(workspace.labels)) == 0
    labels = sum(len(document.spans) for document in workspace.documents)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{output}: {len(workspace.documents)} documents and {labels} of {labels} labels as jsonl"
    assert read_corpus(CorpusConfig(path=str(output)), Problems()) == workspace.documents


@pytest.mark.parametrize(
    ("arguments", "telling"),
    [
        (["--to", "jsonl"], "--convert needs --to FORMAT and --output PATH"),
        (["--output", "OUT"], "--convert needs --to FORMAT and --output PATH"),
        (["--to", "jsnol", "--output", "OUT"], "--to jsnol: no such format; did you mean jsonl?"),
        (["--to", "jsonl", "--output", "."], "--output .: a folder is there already; name another place"),
    ],
)
def test_a_conversion_that_cannot_be_done_is_one_line(workspace, capsys, tmp_path, monkeypatch, arguments, telling):
    monkeypatch.chdir(tmp_path)
    assert preprocess.main(["--convert", str(workspace.texts), *arguments]) == 2
    err = capsys.readouterr().err
    assert telling in err and err.count("\n") == 1
    assert not (tmp_path / "OUT").exists()


def test_what_a_killed_conversion_left_beside_its_finished_folder_is_cleared(tmp_path, leftover_of):
    texts = write_jsonl(tmp_path / "texts.jsonl", [Document("0", "张三")])
    corpus, output = CorpusConfig(path=str(texts)), tmp_path / "brat"
    corpus_commands.convert_corpus(corpus, "brat", output)
    left = leftover_of(output)
    with pytest.raises(UserError, match="a folder is there already"):
        corpus_commands.convert_corpus(corpus, "brat", output)
    assert not left.exists()
