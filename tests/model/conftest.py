"""A run small enough to be trained by every test session, and the pieces it is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import Config, load_config, shape_digest
from data.processed import load_processed
from data.sample.sample import write_sample
from model.prepare import prepare
from model.training import network_fold
from model.training.folds import train
from tests.model.watched import Witness

SMALL = [
    "encoder.name=scratch", "encoder.hidden=16", "encoder.heads=2", "encoder.depth=2", "encoder.feed_forward=32",
    "flat.hidden=16", "flat.heads=2", "flat.feed_forward=32", "lexicon.dimension=8", "data.max_len=66",
    "train.epochs=2", "train.batch_size=32", "train.precision=float32",
    "train.encoder_rate=1e-3", "train.other_rate=1e-2", "run.threads=1",
]  # fmt: skip


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory):
    """The sample corpus, 40 training documents."""
    folder = tmp_path_factory.mktemp("origin") / "sample"
    write_sample(folder, 40, 10, 7)
    return folder


@pytest.fixture(scope="session")
def small_config(sample_folder, tmp_path_factory):
    """A function that gives small settings on the sample corpus with changes, and preprocesses if needed."""
    home = tmp_path_factory.mktemp("work")

    def make(name: str, *changes: str) -> Config:
        places = [
            f"run.name={name}", f"run.folder={home}/runs",
            f"data.train={sample_folder}/train_data", f"data.test={sample_folder}/test_data",
        ]  # fmt: skip
        config = load_config([], [*SMALL, *places, *changes])
        # A folder for each shape of the data: no test reads what another one shaped otherwise.
        config.data.processed = f"{home}/{shape_digest(config)}"
        if not Path(config.data.processed).exists():
            prepare(config)
        return config

    return make


@pytest.fixture(scope="session")
def plain_run(small_config):
    """A finished run with the small settings, called `plain`, and its metrics. Tests must not change it."""
    config = small_config("plain")
    return config, train(config, load_processed(config))


@pytest.fixture
def run(small_config, monkeypatch):
    """A function: train with changes, watched by a witness."""

    def go(name, *changes, witness=None, fold=None, go_on=False):
        config = small_config(name, *changes)
        original = network_fold.fold_callbacks
        with monkeypatch.context() as patch:
            if witness:
                # The witness comes last, so that an interruption finds everything written.
                patch.setattr(network_fold, "fold_callbacks", lambda *given: [*original(*given), witness])
            return config, train(config, load_processed(config), fold, go_on, overwrite=not go_on)

    return go


@pytest.fixture
def interrupted(run):
    """A function: train with changes as `run` does, but stop after the first epoch."""

    def go(name, *changes):
        with pytest.raises(KeyboardInterrupt):
            run(name, *changes, witness=Witness(stop_after=0))

    return go
