"""What tests of several rooms share: corpora in memory and on disk."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import preprocess
from data.corpus.document import Document, category_counts
from data.corpus.duplicates import group_near_duplicates
from data.corpus.format_ccf import write_ccf
from data.lattice.lattice import build_lattices
from data.lattice.lexicon import Lexicon
from data.lattice.segment import segment_bounds
from data.lattice.tokenizer import Vocabulary
from data.processed import Processed
from data.sample.sample import make_documents
from data.spans import Span, sorted_spans
from utils.leftovers import temporary_name

ALPHABET = "天地玄黄宇宙洪荒日月盈昃辰宿列张"


def random_documents(count, seed, longest=80, alphabet=ALPHABET, categories=("name", "place")):
    """Texts with commas and full stops, and spans that may overlap."""
    draw = random.Random(seed)
    documents = []
    for number in range(count):
        length = draw.randint(5, longest)
        text = "".join(draw.choice("，。") if draw.random() < 0.1 else draw.choice(alphabet) for _ in range(length))
        spans = []
        for _ in range(draw.randint(1, 4)):
            begin = draw.randrange(length)
            end = min(begin + draw.randrange(6), length - 1)
            spans.append(Span(draw.choice(categories), begin, end))
        documents.append(Document(str(number), text, sorted_spans(spans)))
    return documents


def build_processed(documents, parts=None, max_len=40, words=(), groups=None):
    """What preprocess.py makes of documents, without the disk."""
    texts = [document.text for document in documents]
    vocabulary = Vocabulary.from_texts(texts, min_count=1)
    lexicon = Lexicon(list(words), "all")
    segments = [
        (number, begin, end)
        for number, document in enumerate(documents)
        for begin, end in segment_bounds(document.text, document.spans, max_len)
    ]
    return Processed(
        documents=documents,
        parts=parts or ["train"] * len(documents),
        categories=sorted(category_counts(documents)) or ["name"],
        vocabulary=vocabulary,
        lattices=build_lattices(texts, vocabulary, lexicon),
        segments=np.array(segments, dtype=np.int64).reshape(-1, 3),
        groups=group_near_duplicates(texts) if groups is None else np.asarray(groups),
        lexicon=lexicon,
        vectors=None,
        manifest={},
    )


@pytest.fixture
def processed_of():
    """The function `build_processed`."""
    return build_processed


@pytest.fixture
def documents_of():
    """The function `random_documents`."""
    return random_documents


class Workspace:
    """A tiny corpus in CCF layout and the settings to read it, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.texts, self.labels = folder / "train_data", folder / "train_label"
        self.processed = folder / "processed" / "tiny"
        self.documents = make_documents(8, 1, "train")
        write_ccf(self.documents, self.texts, self.labels)
        self.settings = folder / "settings.yaml"
        settings = {
            "run": {"name": "tiny", "folder": str(folder / "runs")},
            "data": {"train": str(self.texts), "processed": str(self.processed), "max_len": 80},
            "encoder": {"name": "scratch"},
            "lexicon": {"match": "none"},
        }
        self.settings.write_text(yaml.safe_dump(settings), encoding="utf-8")


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture
def run(workspace, capsys):
    """Runs preprocess.py with the workspace's settings; gives its exit status, standard output and standard error."""

    def run_main(*overrides, arguments=()):
        sets = [text for override in overrides for text in ("--set", override)]
        status = preprocess.main(["--config", str(workspace.settings), *sets, *arguments])
        output = capsys.readouterr()
        return status, output.out, output.err

    return run_main


@pytest.fixture
def leftover_of():
    """A function: makes what a process killed at the end of `atomic_folder` leaves beside a finished folder."""

    def make(folder):
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        left = folder.with_name(temporary_name(folder.name).replace(f".{os.getpid()}.", f".{ended.pid}."))
        left.mkdir()
        (left / "target").write_text(folder.name, encoding="utf-8")
        return left

    return make


@pytest.fixture(scope="session")
def pretrained_folder(tmp_path_factory):
    """A local BERT with random weights, as a folder that a config can name."""
    from transformers import BertConfig, BertModel  # here, because few tests need them and they take seconds

    folder = tmp_path_factory.mktemp("bert")
    shape = BertConfig(
        vocab_size=3000, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=152,
    )  # fmt: skip
    BertModel(shape).save_pretrained(folder)
    characters = [chr(code) for code in range(0x4E00, 0x4E00 + 3000 - 5)]
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]) + "\n")
    return folder
