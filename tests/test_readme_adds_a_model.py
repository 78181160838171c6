"""README's "Add a model", as it stands there: its two files are enough to train, score, save, load and predict."""

import re

import pytest

import model.networks
from data.sample.sample import write_sample
from main import main
from preprocess import main as preprocess_main
from tests.test_config import ROOT


def block(readme, language):
    """The code block of a language under the heading: its path, from its first line, and its text."""
    section = readme.split("**Add a model**" if "**Add a model**" in readme else "**添加一个模型**")[1]
    path, text = re.search(rf"```{language}\n# (\S+)\n(.*?)```", section, re.DOTALL).groups()
    return path, text


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_two_files_make_a_model(name, tmp_path, monkeypatch, capsys):
    readme = (ROOT / name).read_text(encoding="utf-8")
    (module, code), (settings, values) = block(readme, "python"), block(readme, "yaml")
    assert module.startswith("model/networks/") and settings.startswith("configs/systems/")
    (tmp_path / module.split("/")[-1]).write_text(code, encoding="utf-8")
    system = tmp_path / "window.yaml"
    system.write_text(values, encoding="utf-8")
    monkeypatch.setattr(model.networks, "__path__", [*model.networks.__path__, str(tmp_path)])
    write_sample(tmp_path / "sample", 20, 4, 3)
    common = ["--config", str(ROOT / "configs/demo.yaml"), "--config", str(system)]
    for pair in (f"data.train={tmp_path}/sample/train_data", "data.test=", f"data.processed={tmp_path}/processed",
                 f"run.folder={tmp_path}/runs", "train.epochs=1", "run.threads=1"):  # fmt: skip
        common += ["--set", pair]
    assert preprocess_main(common) == 0
    assert main(["--mode", "train", *common]) == 0
    assert main(["--mode", "eval", *common]) == 0
    assert main(["--mode", "predict", *common, "--input", str(tmp_path / "sample/test_data")]) == 0
    assert "micro" in capsys.readouterr().out
