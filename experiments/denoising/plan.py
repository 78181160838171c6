"""Cleaning labels with votes: what `--mode denoise` and `--mode pipeline` do, stage by stage.

RUN_denoise/
    data/train.jsonl, dev.jsonl     the division; labels as they came (with additional corpora: unseen.jsonl, too)
    first/                          a run on these labels, to compare with
    round1/
        repeat1/                    a run of k folds
        votes/repeat1_fold0.jsonl   what each fold thinks of the documents it has not seen
        decisions.csv, .html        what is doubtful or missing; the CSV may be corrected by hand
        labelstudio.json            the same for Label Studio
        train.jsonl                 the cleaned labels
    clean/                          a run on the labels of the last round, with the same dev part
    unlabelled/                     pipeline: votes on the unlabelled texts, pseudo.jsonl
    final/                          pipeline: a run on clean and pseudo-labels
    submission/                     pipeline: what it finds in the unlabelled texts
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from config import Config, CorpusConfig
from data.corpus.document import Document, category_counts, to_jsonl
from data.corpus.format_labelstudio import to_labelstudio
from data.corpus.formats import read_corpus
from data.problems import Problems
from data.processed import load_processed
from data.spans import Span
from data.split import make_splits
from experiments.denoising.decision_table import keep_corrections, read_decisions, write_report
from experiments.denoising.decisions import Decision, apply_decisions, decide, label_support
from experiments.denoising.pseudo_labels import pseudo_label
from experiments.denoising.runs import DenoiseRuns, learning_settings
from experiments.denoising.votes import count_votes
from experiments.stages import Stage
from model.run_folder import fold_folder
from model.run_settings import reading_settings
from model.traditional import is_traditional
from utils.errors import UserError, refuse_unknown_categories
from utils.files import read_json, write_text

# Where labels had a mean probability of 0.23, cleaning won most of the loss back; where it was 0.12, next to nothing.
LITTLE_SUPPORT = 0.2


class Denoise:
    """The stages for one configuration, whose processed data is made.

    Raises:
        UserError: there are no folds to vote, the system cannot, there is no processed data, or a threshold is for a
            category that it has not.
    """

    def __init__(self, config: Config) -> None:
        if config.folds.count < 2:
            raise UserError("votes need folds: set folds.count to 2 or more, e.g. --set folds.count=5")
        if is_traditional(name := config.model.name):
            raise UserError(f"model.name {name} only finds spans, and votes need what a network thinks of others too; "
                            "choose a network")  # fmt: skip
        self.config = config
        self.folder = config.denoise_folder
        self.train_file = self.folder / "data" / "train.jsonl"
        dev = self.folder / "data" / "dev.jsonl"
        self.dev_file = dev if config.data.dev.path or config.data.dev_share else None
        self.categories = load_processed(config).categories
        thresholds = {
            "denoise.doubtful_below_of": config.denoise.doubtful_below_of,
            "denoise.missing_from_of": config.denoise.missing_from_of,
            "pseudo.certain_from_of": config.pseudo.certain_from_of,
        }
        for setting, named in thresholds.items():
            refuse_unknown_categories(setting, named, self.categories)
        self.runs = DenoiseRuns(config, self.categories, self.dev_file)

    def denoise(self) -> list[Stage]:
        """Folds, votes, decisions and cleaned labels, round after round; then a run on them."""
        stages = [self._divide()]
        labels = self.train_file
        if self.config.denoise.compare:
            stages += self._train("first", "train on the labels as they are", labels)
        for number in range(1, self.config.denoise.rounds + 1):
            stages += self._round(number, labels)
            labels = self.round_folder(number) / "train.jsonl"
        return [*stages, *self._train("clean", "train on the cleaned labels", labels)]

    def pipeline(self) -> list[Stage]:
        """`denoise`, then votes on the unlabelled texts, pseudo-labels, a run on both, and its predictions.

        Raises:
            UserError: there is no unlabelled text.
        """
        if not self.config.data.unlabelled.path:
            raise UserError("data.unlabelled is empty; the pipeline labels and reads its texts, so name a corpus")
        labels = self.round_folder(self.config.denoise.rounds) / "train.jsonl"
        votes = [self._vote_on_unlabelled(*voter) for voter in self._voters()]
        pseudo = self.folder / "unlabelled" / "pseudo.jsonl"
        return [
            *self.denoise(),
            *votes,
            self._pseudo_label([stage.outputs[0] for stage in votes], pseudo),
            *self._train("final", "train on the cleaned and the pseudo-labels", labels, pseudo),
            self._submit(),
        ]

    def round_folder(self, number: int) -> Path:
        """Where a round, counted from 1, keeps its work."""
        return self.folder / f"round{number}"

    def scores(self, stages: Sequence[Stage]) -> str:
        """What each run of these stages, which are done, scores on the untouched dev part, as a table."""
        lines = [f"{'dev':<8}{'precision':>10}{'recall':>10}{'F1':>10}"]
        for path in (path for stage in stages for path in stage.outputs if path.name == "dev.json"):
            micro = read_json(path, "remove it, and it is made again")["micro"]
            name = path.parents[1].name
            lines.append(f"{name:<8}{micro['precision']:>10.4f}{micro['recall']:>10.4f}{micro['f1']:>10.4f}")
        return "\n".join(lines) if len(lines) > 1 else "no dev part, so there are no scores"

    # ----------------------------------------------------------------------------------------------------- training

    def _divide(self) -> Stage:
        config = self.runs.without_folds()

        def work() -> None:
            processed = load_processed(self.config)
            (split,) = make_splits(processed, config)
            own = set(processed.of_part("train"))
            write_documents(self.train_file, [processed.documents[number] for number in split.train if number in own])
            if self.dev_file:
                write_documents(self.dev_file, [processed.documents[number] for number in split.dev])
            if self.runs.unseen:
                held_out = (("dev", split.dev), ("test", processed.of_part("test")))
                texts = [Document(f"{part}-{processed.documents[number].id}", processed.documents[number].text)
                         for part, numbers in held_out for number in numbers]  # fmt: skip
                write_documents(self.runs.unseen, texts)

        about = "set the dev part aside, whose labels stay untouched" if self.dev_file else "write the training part"
        inputs = [self.config.processed_folder / "documents.jsonl"]
        outputs = list(filter(None, (self.train_file, self.dev_file, self.runs.unseen)))
        return Stage("divide", about, work, inputs, outputs, learning_settings(config))

    def _train(self, name: str, about: str, labels: Path, pseudo: Path | None = None) -> Iterator[Stage]:
        """A run on these labels; its scores, which depend on more settings, are a stage of their own."""
        config = self.runs.single(name, labels, pseudo)
        trained = fold_folder(config.run_folder, 0) / "metrics.json"
        inputs = [*filter(None, (labels, self.dev_file, pseudo)), *self.runs.other_inputs()]
        yield Stage(name, about, lambda: self.runs.fit(config), inputs, [trained], learning_settings(config))
        if self.dev_file:
            yield Stage(
                f"{name}, score",
                "score this run on the dev part",
                lambda: self.runs.call(config, "main.py", "--mode", "eval"),
                [trained, self.dev_file],
                [config.run_folder / "eval" / "dev.json"],
                reading_settings(config),
            )

    # --------------------------------------------------------------------------------------------------- one round

    def _round(self, number: int, labels: Path) -> Iterator[Stage]:
        folder = self.round_folder(number)
        for repeat in range(1, self.config.folds.repeats + 1):
            config = self.runs.folds(folder, repeat, labels)
            folds = range(config.folds.count)
            yield Stage(
                f"round {number}, folds {repeat}",
                f"train {len(folds)} folds, each without the documents that it will vote on",
                lambda config=config: self.runs.fit(config),
                [labels, *self.runs.other_inputs()],
                [fold_folder(config.run_folder, fold) / "metrics.json" for fold in folds],
                learning_settings(config),
            )
            yield from (self._vote(number, repeat, fold, config, labels) for fold in folds)
        votes = [self._votes_file(number, *voter) for voter in self._voters()]
        yield Stage(
            f"round {number}, decide",
            "hold the labels as they came against the votes",
            lambda: self._decide(folder, votes),
            [self.train_file, *votes],
            [folder / "decisions.csv", folder / "decisions.html", folder / "labelstudio.json"],
            self._deciding_settings(),
        )
        yield Stage(
            f"round {number}, clean",
            f"apply {folder / 'decisions.csv'}, which may be corrected by hand before",
            lambda: self._clean(folder),
            [self.train_file, folder / "decisions.csv"],
            [folder / "train.jsonl"],
        )

    def _vote(self, number: int, repeat: int, fold: int, config: Config, labels: Path) -> Stage:
        output = self._votes_file(number, repeat, fold)

        def work() -> None:
            from experiments.denoising.fold_votes import write_fold_votes

            processed = load_processed(config)
            held_out = {processed.documents[one].id for one in make_splits(processed, config)[fold].dev}
            # The labels that came are judged, in later rounds too.
            documents = [document for document in read_documents(self.train_file) if document.id in held_out]
            write_fold_votes(config.run_folder, fold, documents, self.config.denoise.least, output)

        inputs = [self.train_file, labels, fold_folder(config.run_folder, fold) / "metrics.json"]
        settings = [learning_settings(config), self.config.denoise.least]
        about = f"fold {fold} votes on the documents it has not seen"
        return Stage(f"round {number}, votes {repeat}.{fold}", about, work, inputs, [output], settings)

    def _deciding_settings(self) -> dict[str, Any]:
        """What `decide` reads: that another number of rounds is wanted, say, is no reason to decide anew."""
        settings = self.config.denoise.model_dump()
        return {name: value for name, value in settings.items() if name not in ("rounds", "least", "compare")}

    def _decide(self, folder: Path, votes: Sequence[Path]) -> None:
        documents = read_documents(self.train_file)
        ballots = count_votes(votes)
        decisions = decide(documents, ballots, self.categories, self.config.denoise)
        labels = sum(category_counts(documents).values())
        title = f"{self.config.run.name}, {folder.name}: {labels} labels in {len(documents)} documents"
        shares: dict[str, dict[str, dict[Span, float]]] = {"missing": {}, "doubtful": {}}
        for decision in decisions:
            shares[decision.kind].setdefault(decision.document, {})[decision.span] = decision.share
        write_text(folder / "labelstudio.json", to_labelstudio(documents, **shares))
        if kept := keep_corrections(folder):
            print(f"{folder / 'decisions.csv'} was corrected and is decided anew; the corrections are in {kept}",
                  flush=True)  # fmt: skip
        write_report(decisions, documents, folder, title)
        print(summary(decisions, labels, label_support(documents, ballots)), flush=True)

    def _clean(self, folder: Path) -> None:
        documents = read_documents(self.train_file)
        problems = Problems()
        decisions = read_decisions(folder / "decisions.csv", documents, problems)
        if problems.found:
            print(problems.report(), flush=True)
        if unknown := {decision.span.category for decision in decisions} - set(self.categories):
            known = ", ".join(self.categories)
            raise UserError(f"{folder / 'decisions.csv'}: category {min(unknown)}; the known ones are {known}")
        write_documents(folder / "train.jsonl", apply_decisions(documents, decisions))

    def _voters(self) -> list[tuple[int, int]]:
        """Repeat (from 1) and fold (from 0) of every network that votes."""
        repeats, folds = range(1, self.config.folds.repeats + 1), range(self.config.folds.count)
        return [(repeat, fold) for repeat in repeats for fold in folds]

    def _votes_file(self, number: int, repeat: int, fold: int) -> Path:
        return self.round_folder(number) / "votes" / f"repeat{repeat}_fold{fold}.jsonl"

    # -------------------------------------------------------------------------------------------- unlabelled texts

    def _vote_on_unlabelled(self, repeat: int, fold: int) -> Stage:
        last = self.config.denoise.rounds
        run = self.runs.folds(self.round_folder(last), repeat, self.train_file).run_folder
        output = self.folder / "unlabelled" / f"repeat{repeat}_fold{fold}.jsonl"

        def work() -> None:
            from experiments.denoising.fold_votes import write_fold_votes

            write_fold_votes(run, fold, self._unlabelled(), self.config.denoise.least, output)

        inputs = [fold_folder(run, fold) / "metrics.json", *self.runs.other_inputs()]
        settings = [self.config.data.unlabelled.model_dump(), self.config.denoise.least]
        about = f"fold {fold} of round {last} votes on the unlabelled texts"
        return Stage(f"unlabelled, votes {repeat}.{fold}", about, work, inputs, [output], settings)

    def _pseudo_label(self, votes: Sequence[Path], output: Path) -> Stage:
        def work() -> None:
            documents = self._unlabelled()
            labelled = pseudo_label(documents, count_votes(votes), self.config.pseudo)
            if not labelled:
                raise UserError("no span of the unlabelled texts is certain; lower pseudo.certain_from")
            spans = sum(category_counts(labelled).values())
            doubts = sum(len(document.doubtful) for document in labelled)
            print(f"{len(labelled)} of {len(documents)} texts get {spans} labels; {doubts} stretches are in doubt",
                  flush=True)  # fmt: skip
            write_documents(output, labelled)

        about = "label unlabelled texts where the votes are sure, leave in doubt what is not"
        return Stage("pseudo-label", about, work, votes, [output], self.config.pseudo.model_dump())

    def _submit(self) -> Stage:
        final = self.runs.single("final", self.train_file)
        folder = self.folder / "submission"

        def work() -> None:
            texts = folder / "texts.jsonl"
            write_documents(texts, [Document(document.id, document.text) for document in self._unlabelled()])
            self.runs.call(final, "main.py", "--mode", "predict", f"--input={texts}", f"--output={folder}")

        inputs = [fold_folder(final.run_folder, 0) / "metrics.json", *self.runs.other_inputs()]
        about = "read the unlabelled texts with the final run"
        settings = [self.config.data.unlabelled.model_dump(), reading_settings(final)]
        return Stage("submit", about, work, inputs, [folder / "predict.csv"], settings)

    def _unlabelled(self) -> list[Document]:
        return read_corpus(self.config.data.unlabelled, Problems(), labelled=False)


def summary(decisions: Sequence[Decision], labels: int, support: float) -> str:
    """How many labels of which category are doubtful or missing, and what the voters think of labels at large."""
    lines = []
    for kind in ("doubtful", "missing"):
        of_kind = [decision.span.category for decision in decisions if decision.kind == kind]
        each = ", ".join(f"{category} {of_kind.count(category)}" for category in sorted(set(of_kind)))
        lines.append(f"{kind}: {len(of_kind)} beside {labels} labels" + (f" ({each})" if each else ""))
    lines.append(f"voters give a label that they have not seen a probability of {support:.2f} on average")
    if support < LITTLE_SUPPORT:
        lines.append("the folds have hardly learned anything, and find few wrong labels; train them longer, or with "
                     "smaller batches")  # fmt: skip
    return "\n".join(lines)


def write_documents(path: Path, documents: Sequence[Document]) -> None:
    """A corpus in the house's own format, whole or not at all."""
    write_text(path, to_jsonl(documents))


def read_documents(path: Path) -> list[Document]:
    """The inverse of `write_documents`."""
    return read_corpus(CorpusConfig(path=str(path), format="jsonl"), Problems())
