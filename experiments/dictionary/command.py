"""What `--mode dictionary` does: learn from a dictionary and raw text, by the method that the settings name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from config import Config
from data.corpus.dictionary import read_dictionary
from data.problems import Problems
from data.processed import Processed
from experiments.dictionary.loop import DictionaryLoop
from experiments.dictionary.ranking import rank_candidates
from experiments.dictionary.table import markdown
from experiments.dictionary.texts import read_texts
from utils.errors import UserError
from utils.files import check_writable


def learn(config: Config, problems: Problems, preprocess: Callable[[Config], Processed]) -> str:
    """Run the method and write its results to `config.dictionary_folder`.

    Args:
        config: all settings.
        problems: gets what cannot be used of corpora and dictionary.
        preprocess: makes the processed data of settings.

    Returns:
        The results for a person.

    Raises:
        UserError: the dictionary, the texts or the settings cannot be used.
    """
    if not config.dictionary.path:
        raise UserError("dictionary.path is empty; name the dictionary, a file of `surface form<tab>category` lines")
    check_writable(config.dictionary_folder)
    dictionary = read_dictionary(Path(config.dictionary.path), problems)
    texts = read_texts(config, problems)
    if config.dictionary.method in ("direct", "bagging", "negatives"):
        return rank_candidates(config, texts, dictionary)
    loop = DictionaryLoop(config, texts, dictionary)
    if config.dictionary.method == "match":
        return markdown([loop.beginning])
    return markdown(loop.run(preprocess(loop.reading_config())))
