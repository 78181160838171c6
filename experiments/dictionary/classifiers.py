"""The classifiers of one round of a dictionary loop: trained on what the dictionary labels, then read out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator

from config import Config, DictionaryConfig
from data.batches.dataset import SegmentDataset
from data.processed import Processed
from data.spans import ScoredSpan
from experiments.dictionary.class_prior import labelled_shares
from experiments.dictionary.head import PositiveUnlabelledHead
from experiments.dictionary.risk import PositiveUnlabelledRisk
from model.build import fresh_network
from model.model import TaggingNetwork
from model.reading.predictor import Predictor
from model.run_folder import load_weights, weights_path
from model.training.accelerator import make_accelerator
from model.training.callbacks.checkpoint import Checkpoint, remove_checkpoint, resume
from model.training.callbacks.freeze import FreezeEncoder
from model.training.callbacks.reports import LogFile, Progress
from model.training.loaders import training_loader
from model.training.trainer import Trainer


def train_and_find(
    config: Config, labelled: Processed, priors: Mapping[str, float], folder: Path
) -> list[list[ScoredSpan]]:
    """The spans that fresh classifiers find in every text, trained on the labels of these texts.

    A training that was stopped goes on after its last whole epoch. One that is finished is not repeated.

    Args:
        config: all settings.
        labelled: all texts with the matches of the dictionary.
        priors: of every category.
        folder: of the round, for log, checkpoints and weights.
    """
    head = partial(PositiveUnlabelledHead, risk=_risk(config.dictionary, labelled, priors))
    network = fresh_network(config, labelled, config.run.seed, head)
    accelerator = make_accelerator(config.run.device, config.train.accumulation)
    weights = weights_path(folder, "last")
    if weights.exists():  # stopped between training and scoring
        network.load_state_dict(load_weights(weights))
        network.to(accelerator.device)
    else:
        _train(config, network, labelled, folder, accelerator)
    remove_checkpoint(folder)
    predictor = Predictor.from_settings(network, labelled.vocabulary, labelled.categories, accelerator.device,
                                        config.data.max_len, config.predict)  # fmt: skip
    return predictor.predict(labelled.lattices, range(len(labelled.documents)))


def _risk(settings: DictionaryConfig, labelled: Processed, priors: Mapping[str, float]) -> PositiveUnlabelledRisk:
    texts = [document.text for document in labelled.documents]
    shares = labelled_shares(texts, [document.spans for document in labelled.documents], labelled.categories)
    # A category whose matches were all replaced by longer entries has a labelled share of 0, which no risk can have.
    one_character = 1 / sum(map(len, texts))
    return PositiveUnlabelledRisk(
        torch.tensor([max(priors[name], one_character) for name in labelled.categories]),
        torch.tensor([max(shares[name], one_character) for name in labelled.categories]),
        settings.loss,
    )


def _train(
    config: Config, network: TaggingNetwork, labelled: Processed, folder: Path, accelerator: Accelerator
) -> None:
    dataset = SegmentDataset(labelled, range(len(labelled.documents)), network.head.labeller)
    loader = training_loader(dataset, network, labelled.vocabulary, config.train, accelerator, config.run.seed,
                             config.run.workers)  # fmt: skip
    freeze = FreezeEncoder(config.train.freeze_epochs, config.train.unfreeze_every)
    callbacks = [freeze, Progress(), LogFile(folder), Checkpoint(folder)]
    name = folder.name.replace("_", " ")
    trainer = Trainer(network, loader, accelerator, config.train, callbacks=callbacks, name=name)
    resume(trainer, folder)
    trainer.fit()
