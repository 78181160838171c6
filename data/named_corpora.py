"""The corpora that the settings name, one by one, divided as training divides them."""

from __future__ import annotations

import itertools

from config import DataConfig, FoldsConfig
from data.corpus.document import Document
from data.corpus.duplicates import group_near_duplicates
from data.corpus.formats import read_corpus
from data.problems import Problems
from data.processed import named_corpora
from data.split import divide_train


def corpora_by_name(data: DataConfig, folds: FoldsConfig, problems: Problems) -> dict[str, list[Document]]:
    """Read every corpus that has a path.

    Returns:
        Documents of train, dev, test, additional[0], additional[1], ... and unlabelled. Without a dev corpus,
        `dev part` holds the documents that training draws from train, and train holds the rest. With folds, these are
        the documents that the first fold holds out.

    Raises:
        UserError: a corpus cannot be read, or has too few training documents to draw a dev part from.
    """
    corpora: dict[str, list[Document]] = {}
    additional = itertools.count()
    for part, corpus in named_corpora(data):
        name = f"additional[{next(additional)}]" if part == "additional" else part
        corpora[name] = read_corpus(corpus, problems, "text" if part == "unlabelled" else "either")
    if "train" not in corpora or "dev" in corpora:
        return corpora
    train = corpora.pop("train")
    groups = group_near_duplicates([document.text for document in train])
    rest, drawn = divide_train(train, groups, list(range(len(train))), data, folds)[0]
    parts = {"train": [train[number] for number in rest], "dev part": [train[number] for number in drawn]}
    return {name: part for name, part in parts.items() if part} | corpora
