"""The section "Add a model" of docs/systems.md: its two files are enough to train, score, save, load and predict."""

import re
from pathlib import Path

import pytest

import model.networks
from config import systems
from main import main
from preprocess import main as preprocess_main

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def block(language):
    """Path (from its first line) and text of the code block of a language in the section."""
    section = (ROOT / "docs/systems.md").read_text(encoding="utf-8").split("\n## Add a model\n")[1]
    return re.search(rf"```{language}\n# (\S+)\n(.*?)```", section, re.DOTALL).groups()


def test_two_files_make_a_model(tmp_path, monkeypatch, capsys):
    (module, code), (settings, values) = block("python"), block("yaml")
    assert module.startswith("model/networks/")
    assert settings.startswith("configs/systems/")
    (tmp_path / Path(module).name).write_text(code, encoding="utf-8")
    system = tmp_path / Path(settings).name
    system.write_text(values, encoding="utf-8")
    monkeypatch.setattr(model.networks, "__path__", [*model.networks.__path__, str(tmp_path)])
    names = [*systems(), Path(module).stem]
    monkeypatch.setattr("config.systems", lambda: names)
    sample = tmp_path / "sample"
    assert preprocess_main(["--sample", "20", "--sample-folder", str(sample), "--seed", "3"]) == 0
    common = ["--config", str(ROOT / "configs/demo.yaml"), "--config", str(system)]
    for pair in (f"data.train={sample}/train_data", "data.test=", f"data.processed={tmp_path}/processed",
                 f"run.folder={tmp_path}/runs", "train.epochs=1", "run.threads=1"):  # fmt: skip
        common += ["--set", pair]
    assert preprocess_main(common) == 0
    assert main(["--mode", "train", *common]) == 0
    assert main(["--mode", "eval", *common]) == 0
    assert main(["--mode", "predict", *common, "--input", f"{sample}/test_data"]) == 0
    assert "micro" in capsys.readouterr().out
