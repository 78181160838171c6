"""Reports of a training: progress bar, log file and TensorBoard."""

from __future__ import annotations

import time
from pathlib import Path

from tqdm import tqdm

from model.training.callbacks.events import Callback, FoldCallback, RunningTrainer
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
            self.fold.mkdir(parents=True, exist_ok=True)
            with (self.fold / "train.log").open("a", encoding="utf-8") as log:
                log.write(time.strftime("%Y-%m-%d %H:%M:%S ") + line + "\n")


class TensorBoard(FoldCallback):
    """TensorBoard events: loss and learning rates by step, dev scores by epoch. Every epoch has a file of its own."""

    def on_epoch_begin(self, trainer: RunningTrainer) -> None:
        # Imported here because the import takes seconds, which other modes need not wait for.
        from torch.utils.tensorboard import SummaryWriter

        folder = str(self.fold / "tensorboard")
        self._writer = SummaryWriter(folder, purge_step=trainer.state.step) if trainer.main else None

    def on_step_end(self, trainer: RunningTrainer) -> None:
        if self._writer and trainer.state.step % 10 == 0:
            self._writer.add_scalar("train/loss", trainer.recent_loss(), trainer.state.step)
            for group in trainer.optimizer.param_groups:
                self._writer.add_scalar(f"rate/{group['name']}", group["lr"], trainer.state.step)

    def on_evaluate(self, trainer: RunningTrainer) -> None:
        if self._writer:
            for name, value in trainer.state.history[-1].items():
                if name in ("f1", "precision", "recall"):
                    self._writer.add_scalar(f"dev/{name}", value, trainer.state.step)

    def on_epoch_end(self, trainer: RunningTrainer) -> None:
        if self._writer:
            self._writer.close()
