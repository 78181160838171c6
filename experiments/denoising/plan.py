"""Cleaning labels with votes: the stages of `--mode denoise` and `--mode pipeline`, in their order.

files.py lists what they leave on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from config import Config
from data.processed import Processed
from experiments.denoising.files import DenoiseFiles
from experiments.denoising.known_truth import describe_truth
from experiments.denoising.round_stages import RoundStages
from experiments.denoising.runs import DenoiseRuns
from experiments.denoising.score_table import score_table
from experiments.denoising.training_stages import divide_stage, mixture_stages, pretrain_stage, training_stages
from experiments.denoising.unlabelled_stages import UnlabelledStages
from experiments.stages import Stage
from model.prepare import load_or_make
from utils.errors import UserError, refuse_unknown_categories


class Denoise:
    """The stages for one configuration.

    Args:
        config: all settings.
        load: gives the processed data.

    Raises:
        UserError: there are no folds to vote, the system cannot vote, there is no processed data, or
            denoise.missing_from_of names an unknown category.
    """

    def __init__(self, config: Config, load: Callable[[Config], Processed] = load_or_make) -> None:
        if config.folds.count < 2 and config.denoise.finder != "dynamics":
            raise UserError("votes need folds: set folds.count to 2 or more, e.g. --set folds.count=5")
        self.settings = config.denoise
        self.unlabelled = config.data.unlabelled
        self.files = DenoiseFiles(config.denoise_folder)
        self.folder = self.files.folder
        categories = load(config).categories
        refuse_unknown_categories("denoise.missing_from_of", config.denoise.missing_from_of, categories)
        dev = self.files.dev if config.data.dev.path or config.data.dev_share or config.data.gold else None
        self.runs = DenoiseRuns(config, categories, dev)

    def denoise(self) -> list[Stage]:
        """Folds, votes, decisions and cleaned labels, round after round; then a run of each system on them."""
        return [*self._cleaning(), *mixture_stages(self.runs, "clean")]

    def _cleaning(self) -> list[Stage]:
        labels = self.files.train
        stages = [divide_stage(self.runs)]
        if self.settings.pretrain:
            stages.append(pretrain_stage(self.runs))
        stages += training_stages(self.runs, "first", "train on the labels as they are", labels)
        for number in range(1, self.settings.rounds + 1):
            stages += RoundStages(self.runs, number, labels).stages()
            labels = self.files.round(number).cleaned
        stages += training_stages(self.runs, "clean", "train on the cleaned labels", labels)
        for name in self.runs.reading_runs("clean")[1:]:
            system = name.removeprefix("clean_")
            stages += training_stages(self.runs, name, f"train {system} on the cleaned labels", labels, system=system)
        return stages

    def pipeline(self) -> list[Stage]:
        """`denoise`, then votes on the unlabelled texts, pseudo-labels, a run on both, and its predictions.

        Raises:
            UserError: there is no unlabelled text.
        """
        if not self.unlabelled.path:
            raise UserError("data.unlabelled is empty; name the corpus whose texts the pipeline labels and reads")
        unlabelled = UnlabelledStages(self.runs, self.settings.rounds)
        cleaned = self.files.round(self.settings.rounds).cleaned
        about = "train on the cleaned and the pseudo-labels"
        return [
            *self._cleaning(),
            *unlabelled.pseudo_labels(),
            *training_stages(self.runs, "final", about, cleaned, self.files.pseudo),
            *mixture_stages(self.runs, "final"),
            unlabelled.submit(),
        ]

    def scores(self, stages: Sequence[Stage]) -> str:
        """What each run of these stages, which are done, scores on the untouched dev part and on gold, as a table.

        Before it, how many decisions of the last round are right, where the truth is known.
        """
        runs = score_table([path.parent for stage in stages for path in stage.outputs if path.name == "dev.json"])
        return (
            f"{describe_truth(self.files.round(self.settings.rounds).truth)}\n{runs}" if self.settings.truth else runs
        )
