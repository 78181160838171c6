"""Reports of a training: progress bar, log file and TensorBoard."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from model.training.callbacks.events import Callback, FoldCallback, RunningTrainer
from utils.files import writable
from utils.memory import peak_memory_mib


class Progress(Callback):
    """A progress bar over the optimizer steps, with the loss and the last dev F1."""

    def on_train_begin(self, trainer: RunningTrainer) -> None:
        done, total = trainer.state.step, trainer.total_steps
        if trainer.main:  # without `disable`, because False would overrule TQDM_DISABLE
            self._bar = tqdm(desc=trainer.name, initial=done, total=total, unit="step")
        else:
            self._bar = tqdm(disable=True)

    def on_step_end(self, trainer: RunningTrainer) -> None:
        self._bar.update()
        if trainer.state.step % 10 == 0:
            self._show(trainer)

    def on_evaluate(self, trainer: RunningTrainer) -> None:
        self._show(trainer)

    def on_train_end(self, trainer: RunningTrainer) -> None:
        self._bar.close()

    def _show(self, trainer: RunningTrainer) -> None:
        shown = {"epoch": trainer.state.epoch + 1, "loss": f"{trainer.recent_loss():.4f}"}
        if trainer.state.history and "f1" in trainer.state.history[-1]:
            shown["f1"] = f"{trainer.state.history[-1]['f1']:.4f}"
        self._bar.set_postfix(shown)


class LogFile(FoldCallback):
    """Appends a line for each epoch to train.log. `about` describes the training data in the first line."""

    def __init__(self, fold: Path, about: str = "") -> None:
        super().__init__(fold)
        self.about = about

    def on_train_begin(self, trainer: RunningTrainer) -> None:
        begin = f"{trainer.name}: from epoch {trainer.state.epoch + 1} of {trainer.epochs}"
        self._write(trainer, begin + (f"; {self.about}" if self.about else ""))

    def on_epoch_end(self, trainer: RunningTrainer) -> None:
        values = " ".join(
            f"{key} {value:.4f}" if isinstance(value, float) else f"{key} {value}"
            for key, value in trainer.state.history[-1].items()
        )
        memory = peak_memory_mib()
        self._write(trainer, values + (f" peak_mib {memory:.0f}" if memory else ""))

    def on_train_end(self, trainer: RunningTrainer) -> None:
        state = trainer.state
        best = f"; best dev F1 {state.best_f1:.4f} in epoch {state.best_epoch + 1}" if state.best_epoch >= 0 else ""
        self._write(trainer, "finished" + best)

    def _write(self, trainer: RunningTrainer, line: str) -> None:
        if trainer.main:
            path = self.fold / "train.log"
            with writable(path):
                self.fold.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8") as log:
                    log.write(time.strftime("%Y-%m-%d %H:%M:%S ") + line + "\n")


class TensorBoard(FoldCallback):
    """TensorBoard events: loss and learning rates by step, dev scores by epoch. Every epoch has a file of its own.

    The records are written here and not by a thread of TensorBoard, so that an error is raised where it happens. The
    names of the files tell nothing of the machine.
    """

    def on_epoch_begin(self, trainer: RunningTrainer) -> None:
        # Imported here because other modes need not wait for it.
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._records: RecordWriter | None = None
        if trainer.main:
            folder = self.fold / "tensorboard"
            with writable(folder):
                folder.mkdir(parents=True, exist_ok=True)
                name = f"events.out.tfevents.{time.time():.6f}.{trainer.state.epoch}"
                self._records = RecordWriter((folder / name).open("wb", buffering=0))
            self._write(0, file_version="brain.Event:2")
            # What a stopped training has written of these steps does not count.
            self._write(trainer.state.step, session_log=SessionLog(status=SessionLog.START))

    def on_step_end(self, trainer: RunningTrainer) -> None:
        if trainer.state.step % 10 == 0:
            self._add_scalar(trainer.state.step, "train/loss", trainer.recent_loss())
            for group in trainer.optimizer.param_groups:
                self._add_scalar(trainer.state.step, f"rate/{group['name']}", group["lr"])

    def on_evaluate(self, trainer: RunningTrainer) -> None:
        for name, value in trainer.state.history[-1].items():
            if name in ("f1", "precision", "recall"):
                self._add_scalar(trainer.state.step, f"dev/{name}", value)

    def on_epoch_end(self, trainer: RunningTrainer) -> None:
        if self._records:
            self._records.close()

    def _add_scalar(self, step: int, name: str, value: float) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._write(step, summary=Summary(value=[Summary.Value(tag=name, simple_value=value)]))

    def _write(self, step: int, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        if self._records:
            with writable(self.fold / "tensorboard"):
                self._records.write(Event(wall_time=time.time(), step=step, **content).SerializeToString())
