"""Trained runs in use: what was trained is what predicts, on any text, wherever the folder is."""

import itertools
import json
import pickle
import random
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from config import load_config
from data.batches.inputs import collate_characters
from data.corpus.document import Document
from data.corpus.input_texts import read_texts
from data.lattice.lattice import build_lattices
from data.lattice.lexicon import Lexicon
from data.lattice.tokenizer import SPECIALS, Vocabulary
from data.metrics import score_spans
from data.problems import Problems
from data.processed import load_processed
from data.spans import ScoredSpan, Span
from data.split import make_splits
from model import load_tagger
from model.heads.chains import ChainHead
from model.heads.head import Output
from model.reading.evaluation import score_split
from model.reading.predictor import Predictor, window_overlap
from model.run_folder import VERSION, load_parts, load_tensors, save_weights, write_tensors
from model.training.folds import train
from utils.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(small_config):
    """A run of two folds that knows something, and its metrics."""
    config = small_config(
        "tagger", "folds.count=2", "train.epochs=6", "train.batch_size=6", "encoder.hidden=32", "flat.hidden=32",
        "encoder.depth=1", "train.encoder_rate=3e-3", "train.other_rate=3e-3", "train.schedule=constant",
        "train.warmup=0", "model.prior=0.1", "model.dropout=0", "flat.dropout=0",
    )  # fmt: skip
    return config, train(config, load_processed(config))


@pytest.fixture
def copy(trained, tmp_path):
    """The run's folder elsewhere."""
    return shutil.copytree(trained[0].run_folder, tmp_path / "elsewhere")


def texts_of(config):
    return [document.text for document in load_processed(config).documents]


def test_a_loaded_run_scores_what_training_scored(trained):
    config, metrics = trained
    result = score_split([load_parts(config.run_folder)], "dev")
    counts = [fold["history"][fold["best_epoch"] - 1] for fold in metrics]
    assert result.scores.micro.f1 > 0.05
    processed = load_processed(config)
    assert len(result.by_document) == len(processed.of_part("train"))
    for fold, split in enumerate(make_splits(processed, config.data, config.folds)):
        tagger = load_tagger(config.run_folder, folds=[fold])
        documents = [processed.documents[number] for number in split.dev]
        predicted = [spans for _, spans in tagger.predict_documents(documents)]
        micro = score_spans([document.spans for document in documents], predicted).micro
        assert (micro.f1, micro.precision) == (counts[fold]["f1"], counts[fold]["precision"])


def test_spans_have_probabilities_and_known_categories(trained):
    config, _ = trained
    found = list(itertools.chain(*load_tagger(config.run_folder).predict(texts_of(config)[:10])))
    assert len(found) > 5
    categories = load_processed(config).categories
    assert all(0 < span.probability <= 1 and span.category in categories for span in found)


class FindsMarks:
    """A reader that finds every run of the character 中."""

    categories, nests = ["mark"], False

    def read(self, documents, lattices):
        runs = ([(match.start(), match.end() - 1) for match in re.finditer("中+", one.text)] for one in documents)
        return [[ScoredSpan("mark", *bounds, 0.5) for bounds in of_text] for of_text in runs]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("天中中天中", [(1, 2, "中中"), (4, 4, "中")]),
        ("😀中\n中中", [(1, 1, "中"), (3, 4, "中中")]),  # an emoji and a line break are one character each
        ("中", [(0, 0, "中")]),
        ("", []),
    ],
)
def test_a_span_has_the_text_of_its_bounds_both_inclusive(trained, text, expected):
    tagger = load_tagger(trained[0].run_folder, folds=[0])
    tagger.readers = [FindsMarks()]
    other, found = tagger.predict(["天中", text])
    assert [(span.begin, span.end, span.text) for span in other] == [(1, 1, "中")]
    assert [(span.begin, span.end, span.text) for span in found] == expected
    assert {(span.category, span.probability) for span in found} <= {("mark", 0.5)}


def test_one_text_in_the_place_of_a_list_is_refused(trained):
    """It would be read as texts of one character, and nothing private be found in any."""
    with pytest.raises(TypeError, match="a list of texts"):
        load_tagger(trained[0].run_folder).predict("请联系张伟")


def test_neither_batches_nor_chunks_change_a_prediction(trained, monkeypatch):
    config, _ = trained
    texts = texts_of(config)[:12]
    plain = load_tagger(config.run_folder)
    together = plain.predict(texts)
    alone = [plain.predict([text])[0] for text in texts]
    monkeypatch.setattr("model.reading.chunks.CHUNK", 5)
    chunked = plain.predict(texts)
    for one, other, third in zip(together, alone, chunked, strict=True):
        assert [span[:4] for span in one] == [span[:4] for span in other] == [span[:4] for span in third]
        assert [span.probability for span in one] == pytest.approx([span.probability for span in other], abs=1e-3)


@pytest.fixture
def opened():
    """Files that Python opens and addresses that it connects to."""
    events, watching = [], True

    def note(event, arguments):
        if watching and event in ("open", "socket.connect", "socket.getaddrinfo"):
            events.append((event, str(arguments[0])))

    sys.addaudithook(note)  # stays for the life of the process
    yield events
    watching = False


def test_the_folder_works_elsewhere_with_no_corpora_and_no_hub(trained, copy, sample_folder, monkeypatch, opened):
    config, _ = trained
    text = texts_of(config)[0]
    expected = load_tagger(config.run_folder).predict([text])
    monkeypatch.chdir(copy)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    opened.clear()
    found = load_tagger(copy).predict([text])
    assert found == expected
    read = [where for event, where in opened if event == "open"]
    assert any(where.startswith(str(copy)) for where in read)
    assert not [event for event in opened if event[0] != "open"]
    others = (config.run.folder, config.data.processed, str(sample_folder))
    assert not [where for where in read if where.startswith(others)]


def test_loading_reads_no_pickle(copy, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a pickle was read")

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(module, name, refuse)
    load_tagger(copy).predict(["张三在北京。"])
    assert not [path for path in copy.rglob("*") if path.suffix in (".bin", ".pt", ".pkl", ".pth")]


@pytest.mark.parametrize(
    "text",
    ["", " ", " \n\t　", "😀🎉👨‍👩‍👧", "㐀𠮷龘\ufffd", "ＡＢＣ１２３", "\x00\x01", "a" * 61, "张" * 60, "，" * 200],
    ids=lambda text: repr(text[:6]),
)
def test_odd_texts_are_read_and_do_not_disturb_others(trained, text):
    tagger, other = load_tagger(trained[0].run_folder, folds=[0]), "".join(texts_of(trained[0])[:2])
    odd, between, again = tagger.predict([text, other, text])
    (alone,) = tagger.predict([other])
    assert alone and [span[:4] for span in between] == [span[:4] for span in alone]
    assert [span[:4] for span in odd] == [span[:4] for span in again]
    assert all(0 <= span.begin <= span.end < len(text) for span in odd)


def test_a_long_text_is_read_to_its_end(trained):
    config, _ = trained
    text = "".join(random.Random(0).choices(texts_of(config), k=1000))[:20_000]
    (spans,) = load_tagger(config.run_folder, folds=[0]).predict([text])
    for begin in range(0, 20_000, 1000):
        assert any(begin <= span.begin < begin + 1000 for span in spans), f"nothing from character {begin} on"
    assert len({span[:3] for span in spans}) == len(spans)


class MarkerNetwork(torch.nn.Module):
    """Finds every run of the character 中, whatever stands around it."""

    inputs = staticmethod(collate_characters)

    def __init__(self, row):
        super().__init__()
        self.head = ChainHead(load_config(), ["mark"], 1)
        self.row = row

    def forward(self, token_ids, character_mask, **_):
        here = token_ids[:, 1:-1] == self.row
        before, after = token_ids[:, :-2] == self.row, token_ids[:, 2:] == self.row
        tag = torch.where(here, torch.where(~before, 1, torch.where(after, 2, 3)), 0)
        return Output(torch.nn.functional.one_hot(tag, 4).float().unsqueeze(1) * 50, None)


@pytest.mark.parametrize(("max_len", "overlap"), [(20, 8), (50, 10), (7, 6), (33, 5)])
def test_windows_find_every_span_of_a_long_text_once(max_len, overlap):
    """No text is truncated, and no span is lost or found twice at the edge of a window."""
    draw = random.Random(max_len)
    text = "".join("天" * draw.randint(1, 9) + "中" * draw.randint(1, min(5, overlap)) for _ in range(60))
    vocabulary = Vocabulary([*SPECIALS, "天", "中"])
    predictor = Predictor(MarkerNetwork(vocabulary.row("中")), vocabulary, ["mark"], max_len, overlap, 100,
                          torch.device("cpu"))  # fmt: skip
    lattices = build_lattices([text, "", "中"], vocabulary, Lexicon([], "none"))
    found = predictor.predict(lattices, [0, 1, 2])
    places = np.flatnonzero(np.array(list(text)) == "中")
    groups = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    assert [(span.begin, span.end) for span in found[0]] == [(int(group[0]), int(group[-1])) for group in groups]
    assert found[1] == [] and [(span.begin, span.end) for span in found[2]] == [(0, 0)]


@pytest.mark.parametrize(("max_len", "overlap"), [(150, 64), (128, 64), (60, 30), (9, 4), (8, 4)])
def test_windows_share_at_most_half_of_their_characters(max_len, overlap):
    assert window_overlap(max_len) == overlap


def test_windows_that_read_one_place_differently_do_not_make_spans_that_overlap():
    text = "".join("天" * length + "中" * (12 - length) for length in (3, 2, 1) * 9)  # longer than windows overlap
    vocabulary = Vocabulary([*SPECIALS, "天", "中"])
    predictor = Predictor(MarkerNetwork(vocabulary.row("中")), vocabulary, ["mark"], 20, 4, 100, torch.device("cpu"))
    (found,) = predictor.predict(build_lattices([text], vocabulary, Lexicon([], "none")), [0])
    assert len(found) >= 27 and all(one.end < other.begin for one, other in itertools.pairwise(found))


def test_every_span_that_is_asked_for_is_judged_once_and_those_found_are_marked():
    draw = random.Random(2)
    text = "".join("天" * draw.randint(1, 9) + "中" * draw.randint(1, 5) for _ in range(60))
    vocabulary = Vocabulary([*SPECIALS, "天", "中"])
    predictor = Predictor(MarkerNetwork(vocabulary.row("中")), vocabulary, ["mark"], 20, 8, 100, torch.device("cpu"))
    lattices = build_lattices(["", text], vocabulary, Lexicon([], "none"))
    begins = range(0, len(text) - 8, 3)
    asked = [Span("mark", begin, begin + draw.randrange(8)) for begin in begins] + [Span("mark", 10, 40)]
    nothing, judged = predictor.judge(lattices, [0, 1], [[], asked], 0.5, 20)
    assert nothing == []
    (_, found) = predictor.predict(lattices, [0, 1])
    places = {(span.begin, span.end) for span in found}
    assert len(judged) == len({one[:3] for one in judged})
    assert {(one.begin, one.end) for one in judged if one.found} == places
    expected = places | {(span.begin, span.end) for span in asked if span.end - span.begin < 20}
    assert {(one.begin, one.end) for one in judged} == expected, "the one longer than a window is not judged"
    for one in judged:
        assert one.probability == pytest.approx(float((one.begin, one.end) in places), abs=0.02)


def test_all_folds_vote(trained):
    config, _ = trained
    texts = texts_of(config)[:8]
    tagger = load_tagger(config.run_folder)
    tagger.config.predict.min_votes = 0.0
    either = tagger.predict(texts)
    of_fold = [load_tagger(config.run_folder, folds=[fold]).predict(texts) for fold in (0, 1)]
    for voted, first, second in zip(either, *of_fold, strict=True):
        singles = [{span[:3]: span.probability for span in spans} for spans in (first, second)]
        kept, either_of = {span[:3] for span in voted}, set(singles[0]) | set(singles[1])
        assert kept <= either_of
        for begin, end, category in either_of - kept:  # folds that read one place differently: one reading stays
            assert any(one[2] == category and one[0] <= end and begin <= one[1] for one in kept)
        for span in voted:
            mean = sum(single.get(span[:3], 0.0) for single in singles) / 2
            assert span.probability == pytest.approx(mean, abs=1e-4)


def damage_version(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": 99}))


def damage_weights(folder):
    path = folder / "fold0" / "best" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def damage_lexicon(folder):
    (folder / "lexicon.txt").write_text((folder / "lexicon.txt").read_text() + "新词\n")


def damage_manifest(folder):
    (folder / "manifest.json").write_text("{")


def damage_all_weights(folder):
    for path in folder.rglob("*.safetensors"):
        path.unlink()


def replacing(name, before, after):
    """Damage that replaces some characters of a file by others, once."""

    def damage(folder):
        text = (folder / name).read_text()
        assert before in text
        (folder / name).write_text(text.replace(before, after, 1))

    return damage


def swap_categories(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["categories"].reverse()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change_weights(change):
    """Damage that leaves the file well-formed: every tensor is changed in place."""

    def damage(folder):
        path = folder / "fold0" / "best" / "model.safetensors"
        tensors = load_tensors(path)
        for tensor in tensors.values():
            change(tensor)
        write_tensors(tensors, path)

    return damage


def swap_folds(folder):
    for fold in ("fold0", "fold1"):
        (folder / fold / "best").rename(folder / f"{fold}-best")
    (folder / "fold0-best").rename(folder / "fold1" / "best")
    (folder / "fold1-best").rename(folder / "fold0" / "best")


CHANGED = "damaged or cut short, or not the file that manifest.json records"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_version, f"version 99, this is version {VERSION}"),
        (damage_weights, "damaged or cut short"),
        (damage_lexicon, CHANGED),
        (damage_manifest, "manifest.json: damaged"),
        (damage_all_weights, "no trained weights"),
        (swap_categories, "manifest.json: damaged, or changed after it was written"),
        (replacing("config.yaml", "feed_forward: 32", "feed_forward: 48"), CHANGED),
        (replacing("vocabulary.txt", "[UNK]\n", "[UNK]\n了\n"), CHANGED),
        (replacing("encoder/config.json", '"num_attention_heads": 2', '"num_attention_heads": 4'), CHANGED),
        (replacing("encoder/config.json", '"layer_norm_eps": 1e-12', '"layer_norm_eps": 1e-2'), CHANGED),
        (change_weights(lambda tensor: tensor.fill_(float("nan"))), CHANGED),
        (change_weights(torch.Tensor.zero_), CHANGED),
        (swap_folds, CHANGED),
        (shutil.rmtree, "no such run"),
    ],
)
def test_a_damaged_run_is_refused_in_one_line(copy, damage, message):
    damage(copy)
    with pytest.raises(UserError) as caught:
        load_tagger(copy)
    assert message in str(caught.value) and str(copy) in str(caught.value) and "\n" not in str(caught.value)


def test_a_weight_that_is_no_number_is_refused_though_it_was_written(copy):
    path = copy / "fold0" / "best" / "model.safetensors"
    tensors = load_tensors(path)
    tensors["encoder.transformer.embeddings.LayerNorm.bias"][3] = float("inf")
    save_weights(tensors, copy / "fold0", "best")
    with pytest.raises(UserError, match=r"embeddings\.LayerNorm\.bias holds values that are not finite numbers"):
        load_tagger(copy)


def test_a_run_of_an_earlier_version_is_read_without_digests(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    old = {key: value for key, value in manifest.items() if key not in ("files", "digest")}
    (copy / "manifest.json").write_text(json.dumps(old | {"version": 3}))
    assert load_tagger(copy).folds == [0, 1]


def test_documents_are_streamed(trained, monkeypatch):
    """Only a chunk of the documents is ever taken from the stream ahead of the predictions."""
    tagger = load_tagger(trained[0].run_folder, folds=[0])
    monkeypatch.setattr("model.reading.chunks.CHUNK", 3)
    taken = []

    def stream():
        for number in range(10):
            taken.append(number)
            yield Document(str(number), "张三")

    predictions = tagger.predict_documents(stream())
    next(predictions)
    assert len(taken) == 3


def test_a_zip_of_texts_is_read(trained, tmp_path, sample_folder):
    archive = shutil.make_archive(str(tmp_path / "texts"), "zip", sample_folder / "test_data")
    documents = list(read_texts(Path(archive), None, Problems()))
    found = list(load_tagger(trained[0].run_folder, folds=[0]).predict_documents(documents))
    assert [document.id for document, _ in found] == [str(number) for number in range(10)]
