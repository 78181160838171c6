"""A linear-chain CRF on features, trained by CRFsuite.

Its one chain has the tags of the scheme `bmes`. If labels overlap, only the longer one is learned. Doubtful labels
count as certain, because CRFsuite has no partial likelihood.

L characters, T tags.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pycrfsuite
import torch

from config import LEAST_PROBABILITY
from data.batches.tags import TagScheme
from data.corpus.document import Document
from data.lattice.lattice import Lattices
from data.lattice.lexicon import Lexicon
from data.processed import Processed
from data.spans import Asked, JudgedSpan, ScoredSpan, Span
from model.heads.chain_decoding import ChainDecoder
from model.layers.crf import FORBIDDEN, ChainCRF
from model.run_folder import RunParts
from model.traditional.features import features_of
from utils.errors import UserError

L1, L2 = 0.1, 0.01  # weights of the penalties; L1 sets most weights to zero, which keeps the model small
ITERATIONS = 100  # of L-BFGS at most; CRFsuite stops earlier if the loss no longer improves
LONGEST = 150  # characters of a candidate


class System:
    """A model of CRFsuite, in its file format."""

    filename = "model.crfsuite"
    nests = False

    def __init__(self, path: Path, categories: Sequence[str], lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.categories = categories
        self.scheme = TagScheme("bmes", categories)
        self._tagger = pycrfsuite.Tagger()
        try:
            # CRFsuite reads beyond the end of a truncated file, which crashes the process.
            if int.from_bytes(path.read_bytes()[4:8], "little") != path.stat().st_size:
                raise ValueError("cut short, or of another format")
            self._tagger.open(str(path))
        except ValueError as error:
            raise UserError(f"{path}: not a model of CRFsuite ({error}); train again") from None

    @property
    def parameters(self) -> int:
        """The number of weights of features and transitions."""
        info = self._tagger.info()
        return len(info.state_features) + len(info.transitions)

    @classmethod
    def fit(cls, processed: Processed, documents: Sequence[int], path: Path, iterations: int = ITERATIONS) -> int:
        """Train on whole documents; returns the number of iterations of L-BFGS."""
        scheme = TagScheme("bmes", processed.categories)
        trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
        trainer.set_params({"c1": L1, "c2": L2, "max_iterations": iterations,
                            "feature.possible_transitions": True})  # fmt: skip
        for number in documents:
            document = processed.documents[number]
            if document.text:
                tags, _ = scheme.encode(document.spans, len(document.text))
                trainer.append(_features(document, processed.lattices, number, processed.lexicon),
                               list(map(str, tags[0].tolist())))  # fmt: skip
        trainer.train(str(path))
        return len(trainer.logparser.iterations)

    @classmethod
    def load(cls, path: Path, parts: RunParts) -> System:
        """Load the file that `fit` wrote.

        Raises:
            UserError: the file is missing or damaged.
        """
        return cls(path, parts.categories, parts.lexicon)

    def read(self, documents: Sequence[Document], lattices: Lattices) -> list[list[ScoredSpan]]:
        """The spans of the best tags. The probability is the smallest marginal of a span's tags, an upper bound."""
        return [self._read(document, lattices, number) for number, document in enumerate(documents)]

    def _read(self, document: Document, lattices: Lattices, number: int) -> list[ScoredSpan]:
        if not document.text:
            return []
        tags = self._tagger.tag(_features(document, lattices, number, self.lexicon))
        spans = self.scheme.decode(np.array(tags, dtype=np.int64)[None])
        return [
            ScoredSpan(*span, min(self._tagger.marginal(tags[place], place)
                                  for place in range(span.begin, span.end + 1)))
            for span in spans
        ]  # fmt: skip

    def candidates(
        self, documents: Sequence[Document], lattices: Lattices, asked: Asked = None
    ) -> list[list[JudgedSpan]]:
        """The spans of the best legal tags, and others from `LEAST_PROBABILITY` up, with their posterior probabilities.

        CRFsuite gives marginals of tags only. So its weights are read into a CRF of ours, which knows no illegal tags.
        """
        wanted = asked or [()] * len(documents)
        return [self._judge(one, lattices, number, wanted[number]) for number, one in enumerate(documents)]

    def _judge(self, document: Document, lattices: Lattices, number: int, asked: Sequence[Span]) -> list[JudgedSpan]:
        if not document.text:
            return []
        rows = _features(document, lattices, number, self.lexicon)
        emissions = np.zeros((1, 1, len(rows), self.scheme.num_tags), dtype=np.float32)  # (1, 1, L, T)
        for place, row in enumerate(rows):
            for feature in row:
                if (weights := self._state_weights.get(feature)) is not None:
                    emissions[0, 0, place] += weights
        mask = torch.ones(1, len(rows), dtype=torch.bool)  # (1, L)
        return self._decoder.judge(torch.from_numpy(emissions), mask, [asked], LEAST_PROBABILITY, LONGEST)[0]

    @cached_property
    def _state_weights(self) -> dict[str, np.ndarray]:
        """The weights of each feature, (T,)."""
        weights: dict[str, np.ndarray] = {}
        for (feature, tag), weight in self._tagger.info().state_features.items():
            weights.setdefault(feature, np.zeros(self.scheme.num_tags, dtype=np.float32))[int(tag)] = weight
        return weights

    @cached_property
    def _decoder(self) -> ChainDecoder:
        crf = ChainCRF(self.scheme)
        with torch.no_grad():
            for parameter in crf.parameters():
                parameter[parameter > FORBIDDEN] = 0.0
            for (before, after), weight in self._tagger.info().transitions.items():
                if crf.transitions[int(before), int(after)] > FORBIDDEN:
                    crf.transitions[int(before), int(after)] = weight
        return ChainDecoder(self.scheme, crf)

    def strongest(self, count: int) -> list[tuple[str, str, float]]:
        """The features with the largest weights, as (feature, tag, weight)."""
        names = {"0": "O"}
        for category in self.scheme.categories:
            code = self.scheme.tags_of(category)
            names |= dict(zip(map(str, code[1:]), (f"{letter}-{category}" for letter in "BMES"), strict=True))
        weights = Counter(self._tagger.info().state_features)
        return [(feature, names[tag], weight) for (feature, tag), weight in weights.most_common(count)]


def _features(document: Document, lattices: Lattices, number: int, lexicon: Lexicon) -> list[list[str]]:
    lattice = lattices.slice(number, 0, len(document.text))
    return features_of(document.text, lattice, lexicon.words, lexicon.character_tags)
