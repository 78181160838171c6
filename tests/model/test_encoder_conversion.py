"""Pickled weights become safetensors in a process of its own, and nothing in a pickle is run."""

import json
import os
import shutil

import pytest
import torch
from transformers import BertConfig, BertForPreTraining

import main
import preprocess
from config import EncoderConfig
from data.lattice import encoder_files
from model import encoder_conversion
from model.encoder_conversion import convert_encoder
from model.pretrained import load_transformer
from utils.errors import UserError

SHAPE = BertConfig(vocab_size=30, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
                   max_position_embeddings=160)  # fmt: skip
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰"]


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def network():
    torch.manual_seed(3)
    return BertForPreTraining(SHAPE)


@pytest.fixture
def folder(tmp_path):
    """An encoder's folder without weights."""
    folder = tmp_path / "encoder"
    SHAPE.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(TOKENS), encoding="utf-8")
    return folder


def old_names(state):
    return {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
            for name, value in state.items()}  # fmt: skip


def without_prefix(state):
    return {name.removeprefix("bert."): value for name, value in state.items() if name.startswith("bert.")}


@pytest.mark.parametrize("names", [lambda state: state, old_names, without_prefix])
@pytest.mark.parametrize("zipped", [True, False])
def test_the_converted_encoder_is_the_one_that_was_saved(folder, network, tmp_path, names, zipped):
    torch.save(names(network.state_dict()), folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    done = convert_encoder(str(folder), tmp_path / "new")
    assert done.folder == tmp_path / "new" and done.size == (done.folder / "model.safetensors").stat().st_size
    assert sorted(path.name for path in done.folder.iterdir()) == ["config.json", "model.safetensors", "vocab.txt"]
    states = load_transformer(EncoderConfig(name=str(done.folder))).state_dict()
    own = network.bert.state_dict()
    assert all(torch.equal(states[name], own[name]) for name in states if "pooler" not in name)


def test_weights_in_several_files(folder, network, tmp_path):
    state = list(network.state_dict().items())
    shards = {"pytorch_model-1.bin": dict(state[:9]), "pytorch_model-2.bin": dict(state[9:])}
    for name, shard in shards.items():
        torch.save(shard, folder / name)
    index = folder / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {key: f"../{file}" for file, shard in shards.items() for key in shard}}))
    assert convert_encoder(str(folder), None).folder == tmp_path / "encoder_safetensors"
    (folder / "pytorch_model-2.bin").unlink()
    with pytest.raises(UserError, match=r"pytorch_model-2\.bin: missing"):
        convert_encoder(str(folder), tmp_path / "other")


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_refused_and_never_run(folder, network, tmp_path, zipped):
    marker = tmp_path / "marker"
    state = dict(network.state_dict()) | {"evil": Evil(marker)}
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"pytorch_model\.bin: holds more than weights, so it is not read") as caught:
        convert_encoder(str(folder), tmp_path / "new")
    assert "\n" not in str(caught.value)
    assert not marker.exists() and not (tmp_path / "new").exists()


def damage(folder, what, network):
    weights = folder / "pytorch_model.bin"
    torch.save(network.state_dict(), weights)
    if what == "cut":
        weights.write_bytes(weights.read_bytes()[:2000])
    if what == "text":
        weights.write_text("version https://git-lfs.github.com/spec/v1")
    if what == "no tensor":
        torch.save({"epoch": 3}, weights)
    if what == "other network":
        torch.save({"classifier": torch.zeros(3)}, weights)
    if what == "no shape":
        (folder / "config.json").unlink()
    if what == "no vocabulary":
        (folder / "vocab.txt").unlink()
    if what == "nothing":
        weights.unlink()
    if what == "tensorflow":
        weights.rename(folder / "tf_model.h5")
    if what == "safe already":
        weights.rename(folder / "model.safetensors")


@pytest.mark.parametrize(
    ("what", "telling"),
    [
        ("cut", r"pytorch_model\.bin: damaged or not a file of weights"),
        ("text", r"pytorch_model\.bin: "),
        ("no tensor", r"no tensor in it"),
        ("other network", r"its weights lack"),
        ("no shape", r"no config\.json"),
        ("no vocabulary", r"no vocab\.txt or tokenizer\.json"),
        ("nothing", r"no weights in it"),
        ("tensorflow", r"only tf_model\.h5 in it"),
        ("safe already", r"has safetensors weights already"),
    ],
)
def test_what_cannot_be_converted_is_one_line(folder, network, tmp_path, what, telling):
    damage(folder, what, network)
    with pytest.raises(UserError, match=telling) as caught:
        convert_encoder(str(folder), tmp_path / "new")
    assert "\n" not in str(caught.value) and not (tmp_path / "new").exists()


def test_a_process_that_dies_is_one_line(folder, network, tmp_path, monkeypatch):
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    monkeypatch.setattr(encoder_conversion.sys, "executable", shutil.which("false"))
    with pytest.raises(UserError, match=r"pytorch_model\.bin: reading it ended with status 1; fetch it again"):
        convert_encoder(str(folder), tmp_path / "new")


def test_foreign_folders_are_not_replaced(folder, network, tmp_path):
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds thesis\.txt, which would be lost; set --output"):
        convert_encoder(str(folder), tmp_path / "new")


def test_the_commands(folder, network, tmp_path, capsys, workspace):
    """Preprocessing refuses before it reads a corpus, and says how to convert; then it works."""
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    settings = ["--config", str(workspace.settings), "--set", f"encoder.name={folder}", "--set", "data.train=nowhere"]
    assert preprocess.main(settings) == 2
    told = f"python main.py --mode convert-encoder --input {folder} --output FOLDER, then --set encoder.name=FOLDER"
    assert told in capsys.readouterr().err
    new = tmp_path / "new"
    assert main.main(["--mode", "convert-encoder", "--input", str(folder), "--output", str(new)]) == 0
    assert f"encoder: {new}, " in capsys.readouterr().out
    settings[3:] = [f"encoder.name={new}", "--set", f"data.train={workspace.texts}"]
    assert preprocess.main(settings) == 0
    assert main.main(["--mode", "convert-encoder"]) == 2
    assert "--mode convert-encoder needs --input" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------------- the hub


@pytest.fixture
def hub(monkeypatch):
    """A stand-in for the hub: the names of the files of `some/encoder`."""
    import huggingface_hub

    names = []
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda name, filename: None)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda self, name: names)
    return names


def test_a_hub_id_with_pickled_weights_only_is_refused_before_the_hub_is_asked_to_convert(hub, monkeypatch):
    hub += ["config.json", "pytorch_model.bin", "tf_model.h5", "vocab.txt"]
    monkeypatch.setattr("transformers.modeling_utils.auto_conversion", pytest.fail)
    for check in (encoder_files.refuse_unreadable_weights, lambda name: load_transformer(EncoderConfig(name=name))):
        with pytest.raises(UserError, match="--mode convert-encoder --input some/encoder --output FOLDER"):
            check("some/encoder")
    hub.append("model.safetensors")
    encoder_files.refuse_unreadable_weights("some/encoder")


def test_only_the_needed_files_of_a_hub_id_are_fetched(hub, folder, network, tmp_path, monkeypatch):
    import huggingface_hub

    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    wanted = []
    monkeypatch.setattr(huggingface_hub, "snapshot_download",
                        lambda name, allow_patterns: wanted.extend(allow_patterns) or str(folder))  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert str(convert_encoder("some/encoder", None).folder) == "data/encoders/some_encoder"
    assert "pytorch_model*.bin" in wanted and not any("h5" in pattern for pattern in wanted)
    hub.append("model.safetensors")
    with pytest.raises(UserError, match="has safetensors weights already"):
        convert_encoder("some/encoder", tmp_path / "other")


def test_a_hub_that_cannot_be_asked_leaves_the_word_to_what_reads_the_files(monkeypatch):
    import huggingface_hub

    def unreachable(self, name):
        raise ConnectionError

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", unreachable)
    for name in ("some/encoder", "/nowhere", "no/such/hub id"):
        encoder_files.refuse_unreadable_weights(name)
    with pytest.raises(UserError, match="some/encoder: no such folder, and not to be had from the model hub"):
        convert_encoder("some/encoder", None)
