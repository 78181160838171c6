"""`--mode dictionary`: learn from a dictionary and raw text, by the method that the settings name."""

from __future__ import annotations

from pathlib import Path

from config import Config
from data.corpus.dictionary import read_dictionary
from data.problems import Problems
from experiments.dictionary.learning_texts import read_learning_texts
from experiments.dictionary.loop import DictionaryLoop
from experiments.dictionary.ranking import rank_candidates
from experiments.dictionary.table import markdown
from utils.errors import UserError
from utils.files import check_writable


def learn(config: Config, problems: Problems) -> str:
    """Run the method and write its results to `config.dictionary_folder`.

    Args:
        config: all settings.
        problems: gets what cannot be used of corpora and dictionary.

    Returns:
        The results for a person.

    Raises:
        UserError: the dictionary, the texts or the settings cannot be used.
    """
    settings = config.dictionary
    if not settings.path:
        raise UserError("dictionary.path is empty; name the dictionary, a file of `surface form<tab>category` lines")
    check_writable(config.dictionary_folder)
    dictionary = read_dictionary(Path(settings.path), problems)
    texts = read_learning_texts(config.data, settings.taken_from, problems)
    if settings.method in ("direct", "bagging", "negatives"):
        return rank_candidates(settings, texts, dictionary, config.dictionary_folder, config.run.seed)
    loop = DictionaryLoop(config, texts, dictionary)
    return markdown([loop.beginning] if settings.method == "match" else loop.run())
