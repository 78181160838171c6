"""The dictionary loop of Peng et al., "Distantly Supervised Named Entity Recognition using Positive-Unlabeled Learning"
(ACL 2019): a dictionary labels the texts, classifiers learn from that, and what they always find joins the dictionary.

    FOLDER/settings.json           what the loop began with
    FOLDER/round_0/                the dictionary as given, and what matching it finds
    FOLDER/round_N/dictionary.tsv  the dictionary that the round leaves; the next one learns from it
                   labels.jsonl    all texts with the matches of that dictionary and, where none stands, what the
                                   classifiers found: a corpus that data.train can name
                   scores.json     scores, priors, counts; written last, so a round that has it is finished
                   last/           the classifiers' weights
    FOLDER/processed/              lattices of all texts
    FOLDER/table.md, table.json    all rounds

Every round trains a fresh network with the same seed, for `train.epochs`, on all texts, in one process; nothing is
chosen by a score. A round that was stopped goes on after its last whole epoch.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from config import Config, CorpusConfig
from data.batches.dataset import SegmentDataset
from data.corpus.dictionary import Dictionary, label, read_dictionary, write_dictionary
from data.corpus.document import Document
from data.problems import Problems
from data.processed import Processed
from data.spans import ScoredSpan
from experiments.dictionary.candidates import Segmenter
from experiments.dictionary.class_prior import LARGEST, estimate_priors, labelled_shares
from experiments.dictionary.growth import grow
from experiments.dictionary.head import PositiveUnlabelledHead
from experiments.dictionary.risk import PositiveUnlabelledRisk
from experiments.dictionary.table import KINDS, Record, write_tables
from experiments.dictionary.texts import Texts, add_where_free, write_labels
from experiments.dictionary.whole_words import whole_words
from model.build import fresh_network
from model.networks import network_class
from model.reading.predictor import Predictor
from model.run_folder import encoder_digest, load_tensors, weights_path
from model.traditional import is_traditional
from model.training.accelerator import make_accelerator
from model.training.callbacks.checkpoint import Checkpoint, resume
from model.training.callbacks.freeze import FreezeEncoder
from model.training.callbacks.reports import LogFile, Progress
from model.training.loaders import training_loader
from model.training.trainer import Trainer
from utils.device import set_up_processor
from utils.errors import UserError
from utils.files import read_json, write_json

# Of the section `dictionary`, what is not the affair of other methods and may not change between rounds.
OF_THE_LOOP = ("minimum_count", "agreement", "unit", "minimum_length", "priors", "prior", "coverage", "loss",
               "positive_weight", "negative_risk", "step_back_beyond", "step_back_discount")  # fmt: skip
REMEDY = "remove the folder, or give the run another name with --set run.name=NAME"


class DictionaryLoop:
    """One dictionary, grown on some texts.

    Args:
        config: all settings.
        texts: to learn from.
        dictionary: to begin with.

    Raises:
        UserError: no form of the dictionary stands in the texts, the settings do not fit it, or the folder holds
            rounds that began otherwise.
    """

    def __init__(self, config: Config, texts: Texts, dictionary: Dictionary) -> None:
        self.config = config
        self.settings = config.dictionary
        self.texts = texts
        self.folder = config.dictionary_folder
        self._segmenter = Segmenter()
        self._settings = self.folder / "settings.json"
        self._beginning = self._what_rounds_share(dictionary)
        self._refuse_other_systems()
        self._refuse_what_needs_tags()
        self._refuse_other_beginning()
        self._begin(dictionary)

    def run(self, processed: Processed) -> list[Record]:
        """All rounds that are not finished yet, until the dictionary no longer grows; returns every round's record.

        Args:
            processed: made with `reading_config`.
        """
        self._refuse_unknown_categories(processed.categories)
        if not self._settings.exists():
            write_json(self._settings, self._beginning)
        set_up_processor(self.config.run.threads)
        records = [self._record(0)]
        while len(records) <= self.settings.rounds and (len(records) == 1 or records[-1]["joined"]):
            number = len(records)
            if not (self._round(number) / "scores.json").exists():
                self._play(number, processed, records)
            records.append(self._record(number))
            write_tables(records, self.folder)
        return records

    @property
    def beginning(self) -> Record:
        """The record of round 0: the dictionary as it was given."""
        return self._record(0)

    def reading_config(self) -> Config:
        """The settings to preprocess with: all texts are one training corpus that the dictionary has labelled."""
        corpus = CorpusConfig(path=str(self._round(0) / "labels.jsonl"), format="jsonl")
        nothing = CorpusConfig()
        changes = {"train": corpus, "dev": nothing, "test": nothing, "unlabelled": nothing, "additional": [],
                   "categories": [], "processed": str(self.folder / "processed")}  # fmt: skip
        return self.config.model_copy(update={"data": self.config.data.model_copy(update=changes)})

    # ------------------------------------------------------------------------------------------------------- a round

    def _begin(self, dictionary: Dictionary) -> None:
        """Round 0, unless other rounds were begun with it."""
        if self._settings.exists():
            return
        matched = self._match(dictionary)
        found = Counter(span.category for document in matched for span in document.spans)
        if not found:
            raise UserError(f"{self.settings.path}: none of its {len(dictionary)} forms stands in the texts")
        self._write(0, dictionary, [document.spans for document in matched], {})

    def _play(self, number: int, processed: Processed, records: list[Record]) -> None:
        started = time.perf_counter()
        dictionary = read_dictionary(self._round(number - 1) / "dictionary.tsv", Problems())
        labelled = replace(processed, documents=self._match(dictionary))
        priors = self._priors(labelled, records)
        found = self._train_and_predict(number, labelled, priors)
        grown = grow(
            dictionary, self.texts.texts, found,
            self.settings.minimum_count, self.settings.agreement, self.settings.minimum_length,
        )  # fmt: skip
        facts = {
            "joined": len(grown) - len(dictionary),
            "priors": priors,
            "found_shares": labelled_shares(self.texts.texts, found, processed.categories),
            "seconds": round(time.perf_counter() - started, 1),
        }
        self._write(number, grown, found, facts)

    def _priors(self, labelled: Processed, records: list[Record]) -> dict[str, float]:
        """The class prior of every category; an estimate is no less than what is labelled and at most `LARGEST`."""
        names, given = labelled.categories, self.settings.priors
        spans = [document.spans for document in labelled.documents]
        least = labelled_shares(self.texts.texts, spans, names)
        if self.settings.prior == "found" and len(records) > 1:
            given, estimated = {}, records[-1]["found_shares"]
        elif len(records) > 1:
            estimated = records[1]["priors"]  # those of the first round
        elif self.settings.prior == "elkan_noto":
            estimated = estimate_priors(self.texts.texts, spans, names, self.config.run.seed)
        else:
            estimated = {name: least[name] / self.settings.coverage for name in names}
        return {name: min(max(least[name], estimated[name]), LARGEST) for name in names} | given

    def _train_and_predict(self, number: int, labelled: Processed, priors: dict[str, float]) -> list[list[ScoredSpan]]:
        """The spans that fresh classifiers find in every text, trained on what the dictionary labels there."""
        config, folder = self.reading_config(), self._round(number)
        categories = labelled.categories
        shares = labelled_shares(self.texts.texts, [document.spans for document in labelled.documents], categories)
        # Where longer entries have joined that swallow all of a category, nothing of it is labelled any more.
        one_character = 1 / sum(map(len, self.texts.texts))
        risk = PositiveUnlabelledRisk(
            torch.tensor([max(priors[name], one_character) for name in categories]),
            torch.tensor([max(shares[name], one_character) for name in categories]),
            self.settings,
        )
        network = fresh_network(config, labelled, config.run.seed, partial(PositiveUnlabelledHead, risk=risk))
        accelerator = make_accelerator(config.run.device, config.train.accumulation)
        everything = range(len(labelled.documents))
        weights = weights_path(folder, "last")
        if weights.exists():  # stopped between training and scoring
            network.load_state_dict(load_tensors(weights))
            network.to(accelerator.device)
        else:
            dataset = SegmentDataset(labelled, everything, network.head.labeller)
            loader = training_loader(dataset, network, labelled.vocabulary, config.train, accelerator, config.run.seed,
                                     config.run.workers)  # fmt: skip
            freeze = FreezeEncoder(config.train.freeze_epochs, config.train.unfreeze_every)
            callbacks = [freeze, Progress(), LogFile(folder), Checkpoint(folder)]
            trainer = Trainer(network, loader, accelerator, config.train, callbacks=callbacks, name=f"round {number}")
            resume(trainer, folder)
            trainer.fit()
        predictor = Predictor.from_settings(network, labelled.vocabulary, categories, accelerator.device,
                                            config.data.max_len, config.predict)  # fmt: skip
        found = predictor.predict(labelled.lattices, everything)
        return [self._believed(*one) for one in zip(self.texts.texts, found, strict=True)]

    def _believed(self, text: str, spans: list[ScoredSpan]) -> list[ScoredSpan]:
        """Of one text, what the settings let the classifiers find.

        Peng et al. decide word by word, and Chinese has no words, so they are those of a segmentation.
        """
        if self.settings.unit == "word":
            spans = whole_words(text, spans, self._segmenter.words(text))
        return [span for span in spans if span.end - span.begin + 1 >= self.settings.minimum_length]

    def _match(self, dictionary: Dictionary) -> list[Document]:
        return label(self.texts.documents, dictionary)

    # --------------------------------------------------------------------------------------------------------- files

    def _round(self, number: int) -> Path:
        return self.folder / f"round_{number}"

    def _write(self, number: int, dictionary: Dictionary, found: list[Any], facts: Record) -> None:
        """What a round leaves; the record comes last."""
        folder = self._round(number)
        categories = sorted(set(dictionary.values()))
        matched = [document.spans for document in self._match(dictionary)]
        both = [add_where_free(*one) for one in zip(matched, found, strict=True)]
        write_dictionary(dictionary, folder / "dictionary.tsv")
        write_labels(folder / "labels.jsonl", self.texts.documents, both)
        spans = {"matching": matched, "found": found, "both": both}
        scores = {name: self.texts.score(of_name, categories) for name, of_name in spans.items()}
        record = {
            "round": number,
            "entries": len(dictionary),
            **facts,
            **{name: score and score.to_dict() for name, score in scores.items()},
            "scored_documents": len(self.texts.scored),
        }
        write_json(folder / "scores.json", record)

    def _record(self, number: int) -> Record:
        path = self._round(number) / "scores.json"
        record = read_json(path, REMEDY)
        if not isinstance(record, dict) or not record.keys() >= {"round", "entries", *KINDS}:
            raise UserError(f"{path}: not what this version writes of a round; {REMEDY}")
        return record

    def _what_rounds_share(self, dictionary: Dictionary) -> Record:
        """What all rounds must have in common, by section. More rounds than there are may be asked for later."""
        sections = ("lexicon", "encoder", "model", "flat", "context", "train", "regularisation")
        settings = {section: getattr(self.config, section).model_dump() for section in sections}
        contents = {
            "texts": [document.text for document in self.texts.documents],
            "scored documents": self.texts.scored,
            "dictionary": sorted(dictionary.items()),
        }
        digests = {name: hashlib.sha256(json.dumps(one).encode()).hexdigest() for name, one in contents.items()}
        digests["encoder"] = encoder_digest(self.config.encoder.name)
        own = self.settings.model_dump()
        return {
            **settings,
            "dictionary": {name: own[name] for name in OF_THE_LOOP},
            "data": {"max_len": self.config.data.max_len},
            "run": {"seed": self.config.run.seed},
            "input": digests,
        }

    def _refuse_other_beginning(self) -> None:
        if not self._settings.exists():
            return
        began = read_json(self._settings, REMEDY)
        for section, values in self._beginning.items():
            for name, value in values.items():
                if began.get(section, {}).get(name) != value:
                    raise UserError(f"{self.folder}: its rounds began with another {section}.{name}; {REMEDY}")

    def _refuse_other_systems(self) -> None:
        """Those whose head cannot be taken for the classifiers' own; matching needs none at all."""
        name = self.config.model.name
        if self.settings.method == "loop" and (is_traditional(name) or network_class(name).own_head):
            raise UserError(f"model.name is {name}, but the loop trains classifiers on a network's characters; choose "
                            "another, e.g. flat or encoder")  # fmt: skip

    def _refuse_what_needs_tags(self) -> None:
        """Settings that work on tags, or on scores of a dev part, of which there are none here."""
        without = {"adversarial.method": "none", "averaging.method": "none", "regularisation.r_drop": 0,
                   "regularisation.label_smoothing": 0}  # fmt: skip
        for dotted, off in without.items():
            section, name = dotted.split(".")
            if (value := getattr(getattr(self.config, section), name)) != off:
                raise UserError(f"{dotted} is {value}, but classifiers of characters train without it; set it to {off}")

    def _refuse_unknown_categories(self, categories: list[str]) -> None:
        priors = self.settings.priors
        if unknown := [name for name in priors if name not in categories]:
            raise UserError(f"dictionary.priors names {unknown[0]}, of which the dictionary finds nothing in the "
                            f"texts; it finds {', '.join(categories)}")  # fmt: skip
