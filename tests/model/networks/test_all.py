"""What every system has to do: learn ten sentences by heart, and say after a reload what it said before."""

import pkgutil

import pytest

import model.networks
from config import TRADITIONAL, load_config
from data.corpus.document import Document
from data.corpus.format_ccf import write_ccf
from data.lattice.segment import segment_bounds
from data.metrics import score_spans
from data.sample.sample import make_documents
from model import load_tagger
from model.prepare import prepare
from model.training.folds import train

pytestmark = pytest.mark.slow

SYSTEMS = {
    "encoder": [],
    # One chain, whose categories do not overlap in these sentences.
    "encoder, softmax": ["model.head=softmax", "crf.scheme=bmes", "data.categories=[company,position,name]"],
    "encoder, spans": ["model.head=span"],
    "encoder, tags": ["lexicon.tags=lac"],
    "flat": [],
    "flat, spans": ["model.head=span"],
    "bilstm": ["encoder.depth=0"],
    "softword": ["encoder.depth=0", "lexicon.match=segment", "lexicon.shortest=1", "lexicon.vectors=none"],
    "exsoftword": ["encoder.depth=0", "lexicon.shortest=1", "lexicon.vectors=none"],
    "softlexicon": ["encoder.depth=0", "lexicon.shortest=1"],
    "softlexicon, transformer": ["context.kind=transformer", "lexicon.shortest=1"],
    "lattice_lstm": ["encoder.depth=0"],
    "lr_cnn": ["encoder.depth=0", "context.layers=4"],
    # What a question means takes longer to learn than what a character means.
    "mrc": ["data.categories=[company,position,name]", "encoder.depth=2",
            "train.encoder_rate=2e-3", "train.other_rate=5e-3", "train.batch_size=2", "train.epochs=200"],
    "feature_crf": ["data.categories=[company,position,name]"],
}  # fmt: skip
SMALL = [
    "encoder.name=scratch", "encoder.hidden=32", "encoder.heads=2", "encoder.depth=1", "encoder.feed_forward=64",
    "flat.hidden=32", "flat.heads=2", "flat.feed_forward=64", "lexicon.dimension=16", "context.hidden=64",
    "context.dropout=0", "flat.dropout=0", "model.dropout=0", "data.max_len=40",
    "train.epochs=130", "train.batch_size=5", "train.precision=float32", "train.encoder_rate=5e-3",
    "train.other_rate=1e-2", "train.crf_rate=5e-2",
    "data.dev_share=0", "train.select=last", "run.threads=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with ten sentences in it, each with a label."""
    folder = tmp_path_factory.mktemp("networks")
    sentences = []
    for document in make_documents(20, 3, "train"):
        for begin, end in segment_bounds(document.text, document.spans, 30):
            spans = [span._replace(begin=span.begin - begin, end=span.end - begin)
                     for span in document.spans if begin <= span.begin and span.end < end]  # fmt: skip
            if spans:
                sentences.append(Document(str(len(sentences)), document.text[begin:end], tuple(spans)))
    write_ccf(sentences[:10], folder / "train_data", folder / "train_label")
    return folder


def test_no_system_that_learns_is_left_out():
    networks = {module.name for module in pkgutil.iter_modules(model.networks.__path__)}
    assert {system.split(",")[0] for system in SYSTEMS} == {*networks, *TRADITIONAL} - {"forms", "lac", "rules"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_it_learns_by_heart_and_a_reload_says_the_same(home, system):
    changes = [f"model.name={system.split(',')[0]}", *SYSTEMS[system]]
    name = system.replace(", ", "_")
    places = [f"data.train={home}/train_data", f"run.folder={home}/runs", f"run.name={name}",
              f"data.processed={home}/{name}"]  # fmt: skip
    config = load_config([], [*SMALL, *places, *changes])
    processed = prepare(config)
    train(config, processed)
    texts = [document.text for document in processed.documents]
    tagger, again = load_tagger(config.run_folder), load_tagger(config.run_folder)
    predicted = tagger.predict(texts)
    assert again.predict(texts) == predicted
    assert score_spans([document.spans for document in processed.documents], predicted).micro.f1 == 1.0
