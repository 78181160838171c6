"""A linear-chain CRF on features, trained by CRFsuite: the traditional model.

Its one chain has a tag for every place in a span of every category (`bmes`), so of overlapping labels the longer stays;
doubtful labels are taken as they stand, because CRFsuite knows no partial likelihood.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pycrfsuite

from config import Config
from data.batches.tags import TagScheme
from data.corpus.document import Document
from data.lattice.lattice import Lattices
from data.processed import Processed
from data.spans import ScoredSpan
from model.run_folder import RunParts
from model.traditional.features import features_of
from utils.errors import UserError
from utils.files import atomic_file


class System:
    """CRFsuite's model in a file of its own format."""

    filename = "model.crfsuite"
    nests = False

    def __init__(self, path: Path, categories: Sequence[str], words: list[str]) -> None:
        self.words = words
        self.categories = categories
        self.scheme = TagScheme("bmes", categories)
        self._tagger = pycrfsuite.Tagger()
        try:
            # CRFsuite reads beyond the end of a file that was cut short, and takes the process with it.
            if int.from_bytes(path.read_bytes()[4:8], "little") != path.stat().st_size:
                raise ValueError("cut short, or of another kind")
            self._tagger.open(str(path))
        except ValueError as error:
            raise UserError(f"{path}: not a model of CRFsuite ({error}); train again") from None

    @property
    def parameters(self) -> int:
        """Features with a weight, and transitions."""
        info = self._tagger.info()
        return len(info.state_features) + len(info.transitions)

    @classmethod
    def fit(cls, config: Config, processed: Processed, documents: Sequence[int], path: Path) -> int:
        """Train on whole documents; returns the iterations of L-BFGS."""
        scheme, settings = TagScheme("bmes", processed.categories), config.feature_crf
        trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
        trainer.set_params({"c1": settings.l1, "c2": settings.l2, "max_iterations": settings.iterations,
                            "feature.possible_transitions": True})  # fmt: skip
        for number in documents:
            document = processed.documents[number]
            if document.text:
                tags, _ = scheme.encode(document.spans, len(document.text))
                trainer.append(_features(document, processed.lattices, number, processed.lexicon.words),
                               list(map(str, tags[0].tolist())))  # fmt: skip
        with atomic_file(path) as temporary:
            trainer.train(str(temporary))
        return len(trainer.logparser.iterations)

    @classmethod
    def load(cls, path: Path, parts: RunParts) -> System:
        """Read what `fit` wrote.

        Raises:
            UserError: the file is damaged.
        """
        return cls(path, parts.categories, parts.lexicon.words)

    def read(self, documents: Sequence[Document], lattices: Lattices) -> list[list[ScoredSpan]]:
        """The spans of the best tags; the probability is the least marginal of a span's tags, an upper bound."""
        return [self._read(document, lattices, number) for number, document in enumerate(documents)]

    def _read(self, document: Document, lattices: Lattices, number: int) -> list[ScoredSpan]:
        if not document.text:
            return []
        tags = self._tagger.tag(_features(document, lattices, number, self.words))
        spans = self.scheme.decode(np.array(tags, dtype=np.int64)[None])
        return [
            ScoredSpan(*span, min(self._tagger.marginal(tags[place], place)
                                  for place in range(span.begin, span.end + 1)))
            for span in spans
        ]  # fmt: skip

    def strongest(self, count: int) -> list[tuple[str, str, float]]:
        """The features with the largest weights: feature, tag and weight."""
        names = {"0": "O"}
        for category in self.scheme.categories:
            code = self.scheme.tags_of(category)
            names |= dict(zip(map(str, code[1:]), (f"{letter}-{category}" for letter in "BMES"), strict=True))
        weights = Counter(self._tagger.info().state_features)
        return [(feature, names[tag], weight) for (feature, tag), weight in weights.most_common(count)]


def _features(document: Document, lattices: Lattices, number: int, words: list[str]) -> list[list[str]]:
    return features_of(document.text, lattices.slice(number, 0, len(document.text)), words)
