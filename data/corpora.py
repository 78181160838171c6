"""The corpora that the settings name, each by itself, as training sees them."""

from __future__ import annotations

import itertools

from config import Config
from data.corpus.document import Document
from data.corpus.duplicates import group_near_duplicates
from data.corpus.formats import read_corpus
from data.problems import Problems
from data.processed import named_corpora
from data.split import divide_train


def corpora_by_name(config: Config, problems: Problems) -> dict[str, list[Document]]:
    """Documents of train, dev, test, additional[0], additional[1], ... and unlabelled, as far as they are named.

    Where no dev corpus is, `dev part` holds what training would draw from train (with folds: hold out of the first
    one), and train the rest.

    Raises:
        UserError: a corpus that cannot be read, or too few training documents to draw a dev part from.
    """
    corpora: dict[str, list[Document]] = {}
    additional = itertools.count()
    for part, corpus in named_corpora(config):
        name = f"additional[{next(additional)}]" if part == "additional" else part
        corpora[name] = read_corpus(corpus, problems, labelled=part != "unlabelled")
    if "train" not in corpora or "dev" in corpora:
        return corpora
    train = corpora.pop("train")
    groups = group_near_duplicates([document.text for document in train], config.data.duplicate_share)
    rest, drawn = divide_train(train, groups, list(range(len(train))), config)[0]
    parts = {"train": [train[number] for number in rest], "dev part": [train[number] for number in drawn]}
    return {name: part for name, part in parts.items() if part} | corpora
