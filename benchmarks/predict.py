"""Measures prediction with a trained run beside the token-classification pipeline of transformers on its encoder.

    python benchmarks/predict.py --run runs/ccf_small --input data/origin/ccf2020/test_data.zip --json predict.json

Both read the same texts in the same precision. The pipeline has the run's encoder with an untrained linear head. The
time does not depend on its weights. It runs with several batch sizes, and the fastest counts. Its texts are sorted by
length, and long ones are read in overlapping strides, as ours are in windows.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from benchmarks.measure import measure, save_json
from data.corpus.document import Document
from data.corpus.input_texts import read_texts
from data.problems import Problems
from model import load_tagger
from model.reading.predictor import Predictor, window_overlap
from utils.errors import UserError

BATCH_SIZES = (1, 8, 32, 64)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, metavar="FOLDER", help="a trained run")
    parser.add_argument("--input", required=True, metavar="PATH", help="texts, as for --mode predict")
    parser.add_argument("--documents", type=int, default=500, help="how many of them")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    texts = [document.text for document in itertools.islice(read_texts(Path(options.input), None, Problems()),
                                                            options.documents)]  # fmt: skip
    arguments = (Path(options.run), texts, options.threads)
    pipelines = {f"pipeline, batch {size}": (size, *arguments) for size in BATCH_SIZES}
    systems = measure(prepare, {"ours": (0, *arguments)} | pipelines, runs=options.runs)
    ours = systems["ours"]
    ran = [figures for name, figures in systems.items() if name != "ours" and figures]
    systems["pipeline"] = min(ran, key=lambda figures: figures["seconds"]) if ran else None
    characters = sum(map(len, texts))
    print(f"{len(texts)} documents, {characters} characters")
    print("| system | seconds | characters/s | peak MiB | ours / it |")
    print("|---|---|---|---|---|")
    for name, figures in systems.items():
        if figures:
            ratio = f"{figures['seconds'] / ours['seconds']:.2f}" if ours else ""
            print(f"| {name} | {figures['seconds']:.2f} | {characters / figures['seconds']:.0f} | "
                  f"{figures['peak_mib']:.0f} | {ratio} |")  # fmt: skip
    save_json({f"{characters} characters": systems}, options.json)
    return 0


def prepare(batch_size: int, run: Path, texts: list[str], threads: int) -> Callable[[], Any]:
    """Prediction by the pipeline with this batch size, or by our run if it is 0."""
    return prepare_pipeline(run, texts, threads, batch_size) if batch_size else prepare_ours(run, texts, threads)


def prepare_ours(run: Path, texts: list[str], threads: int) -> Callable[[], None]:
    """Prediction from raw texts to spans with probabilities."""
    tagger = load_tagger(run)
    torch.set_num_threads(threads)

    def work() -> None:
        for _ in tagger.predict_documents(Document(str(number), text) for number, text in enumerate(texts)):
            pass

    return work


def prepare_pipeline(run: Path, texts: list[str], threads: int, batch_size: int) -> Callable[[], Any]:
    """Prediction by the pipeline on the run's encoder.

    Raises:
        UserError: the run is not a network.
    """
    import transformers

    transformers.logging.set_verbosity_error()
    tagger = load_tagger(run)
    torch.set_num_threads(threads)
    description, reader = tagger.parts.encoder, tagger.readers[0]
    if description is None or not isinstance(reader, Predictor):
        raise UserError(f"{run}: has no encoder; give the run of a network")
    description.num_labels = 1 + 4 * len(tagger.categories)
    model = transformers.AutoModelForTokenClassification.from_config(description)
    encoder = reader.network.encoder.transformer
    model.base_model.load_state_dict(encoder.state_dict(), strict=False)
    if reader.half:
        model = model.to(torch.bfloat16)
    vocabulary = {token: row for row, token in enumerate(tagger.parts.vocabulary.tokens)}
    tokenizer = transformers.BertTokenizer(vocab=vocabulary, model_max_length=tagger.config.data.max_len + 2)
    pipeline = transformers.pipeline(
        "token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple",
        stride=window_overlap(tagger.config.data.max_len), batch_size=batch_size,
    )  # fmt: skip
    ordered = sorted(filter(None, texts), key=len)

    return lambda: pipeline(ordered)


if __name__ == "__main__":
    sys.exit(main())
