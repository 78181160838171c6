"""One fold of a network: fresh weights, a trainer with its callbacks, and the metrics of the training.

Its counterpart for a traditional system is model/traditional/fold.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator

from config import AveragingConfig, Config, TrainConfig
from data.batches.dataset import SegmentDataset, padding_share
from data.corpus.document import Document
from data.gold_parts import score_parts
from data.held_labels import describe_unheld
from data.metrics import Scores
from data.processed import Processed
from data.spans import JudgedSpan
from data.split import Split
from model.build import fresh_network, word_size
from model.model import TaggingNetwork
from model.reading.predictor import Predictor
from model.reading.vote_files import judge_documents
from model.run_folder import RunParts, encoder_digest, save_parts
from model.start_from import Start, begin_with, carry_over, open_start, refuse_seen, save_seen, start_weights
from model.training.callbacks.averaging import AverageWeights
from model.training.callbacks.checkpoint import Checkpoint, epochs_done, resume
from model.training.callbacks.dynamics import TrainingDynamics
from model.training.callbacks.early_stopping import EarlyStopping
from model.training.callbacks.events import Callback, TrainingState
from model.training.callbacks.freeze import FreezeEncoder
from model.training.callbacks.reports import LogFile, Progress, TensorBoard
from model.training.callbacks.take_place import TakePlace
from model.training.loaders import bucket_sampler, training_loader, unlabelled_batches
from model.training.replacement import TrainingFolder
from model.training.trainer import Trainer
from utils.errors import UserError
from utils.memory import peak_memory_mib


class NetworkFold:
    """A network that is ready to train on one split. Nothing is written before `train`.

    Args:
        config: all settings.
        processed: the data.
        split: the documents to train on and to score.
        fold: the number of the fold.
        folder: where to write.
        accelerator: where to compute.

    Raises:
        UserError: the settings do not fit each other or the data, or there is nothing to train on.
    """

    def __init__(
        self,
        config: Config,
        processed: Processed,
        split: Split,
        fold: int,
        folder: TrainingFolder,
        accelerator: Accelerator,
    ) -> None:
        seed = config.run.seed + fold
        network = fresh_network(config, processed, seed)
        dataset = SegmentDataset(processed, split.train, network.head.labeller)
        if not len(dataset):
            raise UserError(f"fold {fold} has no training segments; check data.train and data.dev_share")
        loader = training_loader(
            dataset, network, processed.vocabulary, config.train, accelerator, seed, config.run.workers
        )
        batches = bucket_sampler(loader)
        padding = padding_share(dataset.lengths, batches)
        unlabelled = None
        if config.adversarial.unlabelled:
            unlabelled = unlabelled_batches(processed, network, config.train, accelerator, seed)
        evaluate = None
        if split.dev or config.data.gold:
            evaluate = partial(score_network, config=config, processed=processed, dev=split.dev)
        self.config, self.processed, self.split = config, processed, split
        self.accelerator = accelerator
        self.folder = folder
        self.fold = fold
        self.parts = _parts(config, processed, network)
        about = f"{len(dataset)} segments in {len(batches)} batches, padding {padding:.1%}"
        if unheld := describe_unheld(config, dataset.left_out):
            about += f"; {unheld}"
        watching = []
        if config.train.dynamics:
            own = [processed.documents[number] for number in split.train if processed.parts[number] == "train"]
            judge = partial(judge_by, config=config, processed=processed, documents=own)
            watching = [TrainingDynamics(folder.fold(fold), own, judge)]
        callbacks = fold_callbacks(folder, fold, config.train, config.averaging, about, watching)
        self.log = next(callback for callback in callbacks if isinstance(callback, LogFile))
        self.trainer = Trainer(
            network,
            loader,
            accelerator,
            config.train,
            config.averaging,
            config.regularisation,
            config.adversarial,
            evaluate,
            callbacks,
            f"fold {fold}",
            unlabelled,
        )
        self._known_before: dict[str, Any] = {
            "spans_the_labels_cannot_hold": dataset.left_out.total(),
            "categories_of_these_spans": dict(dataset.left_out),
            "padding_share": round(padding, 4),
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "selected": config.train.select,
        }

    def train(self, go_on: bool, report: Callable[[str], None]) -> dict[str, Any]:
        """Train to the end, and return the metrics of the network.

        Args:
            go_on: continue a stopped training from its last complete epoch.
            report: is called in one of the processes with what the weights of an earlier run brought along.

        Raises:
            UserError: files cannot be written, or those of the stopped training are damaged. Or `train.start_from`
                names a run that cannot be used.
        """
        fold = self.folder.fold(self.fold)
        resumes = go_on and epochs_done(fold) > 0
        start = None if resumes or not self.config.train.start_from else self._start_from_earlier_run(report)
        if self.accelerator.is_main_process:
            save_parts(self.parts, self.folder.path)
            if not resumes:
                save_seen(fold, self._documents(self.split.train), start)
        self.accelerator.wait_for_everyone()
        if go_on:
            resume(self.trainer, fold)
        return self._known_before | _outcome(self.trainer.fit(), self.accelerator.device)

    def _start_from_earlier_run(self, report: Callable[[str], None]) -> Start:
        """Take over the weights of `train.start_from`, and say so."""
        earlier = open_start(self.config)
        weights = start_weights(earlier, self.fold, self.config.folds.count)
        held_out = {"dev": self._documents(self.split.dev), "test": self._documents(self.processed.of_part("test"))}
        start = begin_with(earlier, weights, held_out)
        if self.config.folds.count:
            refuse_seen(self.config, self.fold, held_out["dev"], start.seen)
        lexicon, vocabulary = self.processed.lexicon, self.processed.vocabulary
        carried = carry_over(self.trainer.network, lexicon.words, vocabulary, earlier, weights)
        said = [f"fold {self.fold} begins with {weights.parent}: {carried.describe()}", *start.notes.values()]
        self.log.about += f"; {'; '.join(said)}"
        if self.accelerator.is_main_process:
            for line in said:
                report(line)
        return start

    def _documents(self, numbers: Sequence[int]) -> list[Document]:
        return [self.processed.documents[number] for number in numbers]


def fold_callbacks(
    folder: TrainingFolder,
    number: int,
    train: TrainConfig,
    averaging: AveragingConfig,
    about: str,
    watching: Sequence[Callback] = (),
) -> list[Callback]:
    """The callbacks of a fold, in the order in which they act on an event.

    Args:
        folder, number: of the fold.
        train, averaging: which callbacks are wanted.
        about: describes the training data in the log file.
        watching: further callbacks.
    """
    fold = folder.fold(number)
    callbacks: list[Callback] = [FreezeEncoder(train.freeze_epochs, train.unfreeze_every)]
    callbacks += [Progress(), LogFile(fold, about), TensorBoard(fold)]
    if averaging.method != "none":
        callbacks.append(AverageWeights(averaging.method, averaging.start_epoch, averaging.unit, averaging.decay))
    if train.patience:
        callbacks.append(EarlyStopping(train.patience, train.select))
    callbacks += [*watching, Checkpoint(fold)]
    return [*callbacks, TakePlace(folder, number, callbacks)]


def judge_by(
    network: TaggingNetwork, config: Config, processed: Processed, documents: Sequence[Document]
) -> Iterator[list[JudgedSpan]]:
    """What a network thinks of documents; see `judge_documents`."""
    reader = _predictor(network, config, processed)
    return judge_documents(reader, documents, processed.vocabulary, processed.lexicon)


def score_network(
    network: TaggingNetwork, config: Config, processed: Processed, dev: Sequence[int]
) -> dict[str, Scores]:
    """Strict scores of a network on the dev documents and, where there are some, on gold labels; see `score_parts`."""
    predictor = _predictor(network, config, processed)
    return score_parts(processed, config.data, dev, lambda numbers: predictor.predict(processed.lattices, numbers))


def _predictor(network: TaggingNetwork, config: Config, processed: Processed) -> Predictor:
    device = next(network.parameters()).device
    return Predictor.from_settings(network, processed.vocabulary, processed.categories, device, config.data.max_len,
                                   config.predict)  # fmt: skip


def _outcome(state: TrainingState, device: torch.device) -> dict[str, Any]:
    on_gpu = device.type == "cuda"
    return {
        "train_seconds": round(sum(epoch["seconds"] for epoch in state.history), 3),
        "passes": len(state.history),
        "peak_mib": torch.cuda.max_memory_allocated(device) / 2**20 if on_gpu else peak_memory_mib(),
        "best_epoch": state.best_epoch + 1,  # counted from 1; 0 without a dev part
        "best_weights": state.best_weights,
        "history": state.history,
    }


def _parts(config: Config, processed: Processed, network: TaggingNetwork) -> RunParts:
    return RunParts(
        config.run_folder,
        config,
        processed.categories,
        processed.vocabulary,
        processed.lexicon,
        network.encoder.transformer.config,
        word_size(config.lexicon, processed),
        processed.digest,
        encoder_digest(config.encoder.name),
    )
