"""A training reports F1 on the labels and on gold, and `--mode eval` does; no gold document has trained."""

import hashlib
import json

import numpy as np
import pytest

from config import save_config
from data.metrics import score_spans
from data.processed import load_processed
from main import main
from model import load_tagger
from model.start_from import SEEN, digests_of

pytestmark = pytest.mark.slow


def write_gold(path, documents):
    lines = [
        {"id": one.id, "sha256": hashlib.sha256(one.text.encode()).hexdigest()[:16],
         "entities": [{"category": span.category, "pos_b": span.begin, "pos_e": span.end} for span in one.spans[:1]]}
        for one in documents
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("changes", [["averaging.method=swa", "train.select=swa"], ["folds.count=2"],
                                     ["model.name=feature_crf"]])  # fmt: skip
def test_gold_is_scored_and_never_trained_on(run, small_config, tmp_path, capsys, changes):
    documents = load_processed(small_config("plain")).documents
    gold = write_gold(tmp_path / "gold.jsonl", documents[:9])
    config, metrics = run("with_gold", f"data.gold={gold}", *changes)
    for fold in metrics:
        trained = np.load(config.run_folder / f"fold{fold['fold']}" / SEEN) if "feature_crf" not in changes[0] else []
        assert not np.isin(digests_of(documents[:9]), trained).any()
        assert fold["train_documents_held_for_gold"] > 0
        assert {"gold_a_f1", "gold_b_f1", "f1"} <= set(fold["history"][-1])
    settings = tmp_path / "config.yaml"
    save_config(config, settings)
    capsys.readouterr()
    assert main(["--mode", "eval", f"--config={settings}"]) == 0
    shown = capsys.readouterr().out
    assert all(part in shown for part in ("dev ", "gold_a", "gold_b"))
    halves = {part: json.loads((config.run_folder / "eval" / f"{part}.json").read_text())
              for part in ("gold_a", "gold_b")}  # fmt: skip
    assert [halves[part]["documents"] for part in halves] == [5, 4]
    # The slow way: predict the gold documents with the run, and count.
    tagger = load_tagger(config.run_folder)
    found = [spans for _, spans in tagger.predict_documents(documents[:9])]
    micro = score_spans([one.spans[:1] for one in documents[:9]], found).micro
    assert sum(halves[part]["micro"]["right"] for part in halves) == micro.right
    assert sum(halves[part]["micro"]["predicted"] for part in halves) == micro.predicted
    if "folds.count=2" not in changes:
        last = metrics[0]["history"][-1]
        prefix = "swa_" if "swa" in changes[0] else ""
        assert last[f"{prefix}gold_b_f1"] == halves["gold_b"]["micro"]["f1"]
