"""The dictionary loop of Peng et al., "Distantly Supervised Named Entity Recognition using Positive-Unlabeled Learning"
(ACL 2019).

A dictionary labels the texts, classifiers learn from these labels, and what they always find joins the dictionary.

Every round trains a fresh network with the same seed, for `train.epochs`, on all texts, in one process. Nothing is
chosen by a score. A round that was stopped goes on after its last whole epoch. round_files.py lists what is written.
"""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from config import Config, CorpusConfig, to_dict
from data.corpus.dictionary import Dictionary, label
from data.processed import Processed
from data.spans import ScoredSpan
from experiments.dictionary.candidates import Segmenter
from experiments.dictionary.class_prior import labelled_shares, priors_of_round
from experiments.dictionary.classifiers import train_and_find
from experiments.dictionary.growth import SHORTEST, grow
from experiments.dictionary.learning_texts import Texts
from experiments.dictionary.round_files import RoundFiles
from experiments.dictionary.table import Record, write_tables
from experiments.dictionary.whole_words import whole_words
from model.networks import network_class
from model.prepare import prepare
from model.run_folder import encoder_digest
from model.traditional import is_traditional
from utils.device import set_up_processor
from utils.errors import UserError

# The settings that may not change between rounds. Those of the section `dictionary` that others read are left out.
SHARED = ("lexicon", "encoder", "model", "flat", "context", "train", "regularisation")
SHARED_OF_DICTIONARY = ("unit", "priors", "prior", "coverage", "loss")

# What finds the spans of a round in every text: from the settings, the texts as the dictionary labels them, the class
# priors and the round's folder.
Find = Callable[[Config, Processed, Mapping[str, float], Path], list[list[ScoredSpan]]]


class DictionaryLoop:
    """One dictionary, grown on some texts.

    Args:
        config: all settings.
        texts: to learn from.
        dictionary: to begin with.
        find: trains the classifiers of a round and reads the texts with them.

    Raises:
        UserError: no form of the dictionary occurs in the texts, the settings do not suit the loop, or the folder holds
            rounds with other settings.
    """

    def __init__(self, config: Config, texts: Texts, dictionary: Dictionary, find: Find = train_and_find) -> None:
        self.config = config
        self.settings = config.dictionary
        self.texts = texts
        self.find = find
        self.files = RoundFiles(config.dictionary_folder, texts)
        self._segmenter = Segmenter()
        self._shared = _what_rounds_share(config, texts, dictionary)
        if self.settings.method == "loop":
            _refuse_other_systems(config.model.name)
        _refuse_what_needs_tags(config)
        self.files.refuse_others(self._shared)
        if not self.files.begun:
            self._match_first(dictionary)

    @property
    def beginning(self) -> Record:
        """The record of round 0: the dictionary as it was given."""
        return self.files.record(0)

    def run(self) -> list[Record]:
        """Run the rounds that are not finished, until nothing joins the dictionary; returns the record of every round.

        Raises:
            UserError: the texts cannot be processed, or dictionary.priors names a category without a match.
        """
        processed = prepare(self.reading_config())
        if unknown := [name for name in self.settings.priors if name not in processed.categories]:
            raise UserError(f"dictionary.priors names {unknown[0]}, of which the dictionary finds nothing in the "
                            f"texts; it finds {', '.join(processed.categories)}")  # fmt: skip
        self.files.begin(self._shared)
        set_up_processor(self.config.run.threads)
        records = [self.files.record(0)]
        while len(records) <= self.settings.rounds and (len(records) == 1 or records[-1]["joined"]):
            number = len(records)
            if not self.files.is_finished(number):
                self._play(number, processed, records)
            records.append(self.files.record(number))
            write_tables(records, self.files.folder)
        return records

    def reading_config(self) -> Config:
        """The settings to preprocess and train with: all texts are one training corpus, labelled by the dictionary."""
        config = copy.deepcopy(self.config)
        config.data.train = CorpusConfig(path=str(self.files.labels(0)), format="jsonl")
        config.data.dev, config.data.test, config.data.unlabelled = CorpusConfig(), CorpusConfig(), CorpusConfig()
        config.data.additional, config.data.categories = [], []
        config.data.processed = str(self.files.processed)
        return config

    def _match_first(self, dictionary: Dictionary) -> None:
        """Round 0."""
        matched = [document.spans for document in label(self.texts.documents, dictionary)]
        if not any(matched):
            raise UserError(f"{self.settings.path}: none of its {len(dictionary)} forms occurs in the texts")
        self.files.write(0, dictionary, matched, {})

    def _play(self, number: int, processed: Processed, records: Sequence[Record]) -> None:
        started = time.perf_counter()
        texts = self.texts.texts
        dictionary = self.files.dictionary(number - 1)
        labelled = replace(processed, documents=label(self.texts.documents, dictionary))
        spans = [document.spans for document in labelled.documents]
        priors = priors_of_round(self.settings, texts, spans, processed.categories, records, self.config.run.seed)
        found = self.find(self.reading_config(), labelled, priors, self.files.round(number))
        kept = [self._kept(*one) for one in zip(texts, found, strict=True)]
        grown = grow(dictionary, texts, kept)
        facts = {
            "joined": len(grown) - len(dictionary),
            "priors": priors,
            "found_shares": labelled_shares(texts, kept, processed.categories),
            "seconds": round(time.perf_counter() - started, 1),
        }
        self.files.write(number, grown, kept, facts)

    def _kept(self, text: str, found: Sequence[ScoredSpan]) -> list[ScoredSpan]:
        """Peng et al. decide word by word. Chinese has no words, so they are those of jieba's segmentation."""
        return kept_spans(text, found, self._segmenter.words(text) if self.settings.unit == "word" else None)


def kept_spans(
    text: str, found: Sequence[ScoredSpan], words: Iterable[str] | None, shortest: int = SHORTEST
) -> list[ScoredSpan]:
    """The spans that classifiers may find in a text: whole words where `words` are given, and none too short.

    Args:
        text: of the document.
        found: spans of characters, which do not overlap.
        words: that joined are the text, or None.
        shortest: characters that a span needs.
    """
    spans = found if words is None else whole_words(text, found, words)
    return [span for span in spans if span.end - span.begin + 1 >= shortest]


def _what_rounds_share(config: Config, texts: Texts, dictionary: Dictionary) -> dict[str, dict[str, Any]]:
    """Settings and digests of inputs, by section. The number of rounds is not among them, so more may be asked for."""
    settings = to_dict(config)
    contents = {
        "texts": [document.text for document in texts.documents],
        "scored documents": texts.scored,
        "dictionary": sorted(dictionary.items()),
    }
    digests = {name: hashlib.sha256(json.dumps(one).encode()).hexdigest() for name, one in contents.items()}
    digests["encoder"] = encoder_digest(config.encoder.name)
    return {
        **{section: settings[section] for section in SHARED},
        "dictionary": {name: settings["dictionary"][name] for name in SHARED_OF_DICTIONARY},
        "data": {"max_len": config.data.max_len},
        "run": {"seed": config.run.seed},
        "input": digests,
    }


def _refuse_other_systems(name: str) -> None:
    """Systems whose head cannot be replaced by the classifiers."""
    if is_traditional(name) or network_class(name).own_head:
        raise UserError(f"model.name is {name}, but the loop trains classifiers on a network's characters; choose "
                        "another, e.g. flat or encoder")  # fmt: skip


def _refuse_what_needs_tags(config: Config) -> None:
    """Settings that need tags or scores of a dev part, which the loop does not have."""
    without = {
        "adversarial.method": (config.adversarial.method, "none"),
        "averaging.method": (config.averaging.method, "none"),
        "regularisation.r_drop": (config.regularisation.r_drop, 0),
        "regularisation.label_smoothing": (config.regularisation.label_smoothing, 0),
    }
    for name, (value, off) in without.items():
        if value != off:
            raise UserError(f"{name} is {value}, which classifiers of characters cannot train with; set it to {off}")
