"""What a network thinks of its own training documents while it learns: its training dynamics.

A network learns what labels agree on before it learns their errors by heart (Arpit et al., "A Closer Look at
Memorization in Deep Networks", ICML 2017). So a label that it finds improbable in most epochs is suspect, and so is
the place of a span without a label that it finds probable. The area under the margin of Pleiss et al. ("Identifying
Mislabeled Data using the Area Under the Margin Ranking", NeurIPS 2020) is such a mean over epochs, of a difference of
logits; here it is the mean of a span's posterior probability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from data.corpus.document import Document
from data.spans import JudgedSpan
from model.model import TaggingNetwork
from model.reading.vote_files import write_votes
from model.run_folder import dynamics_files
from model.training.callbacks.events import FoldCallback, RunningTrainer

Judge = Callable[[TaggingNetwork], Iterator[list[JudgedSpan]]]  # of each training document


class TrainingDynamics(FoldCallback):
    """Writes a vote file after each epoch but the first, in which a network knows little.

    Args:
        fold: the fold's folder.
        documents: the training documents.
        judge: gives the candidates of a network in each of them.
    """

    def __init__(self, fold: Path, documents: Sequence[Document], judge: Judge) -> None:
        super().__init__(fold)
        self.documents = documents
        self.judge = judge

    def on_epoch_end(self, trainer: RunningTrainer) -> None:
        if trainer.main and (trainer.state.epoch or trainer.epochs == 1):
            path = dynamics_files(self.fold, trainer.epochs)[max(0, trainer.state.epoch - 1)]
            path.parent.mkdir(exist_ok=True)
            write_votes(path, self.documents, self.judge(trainer.network))
