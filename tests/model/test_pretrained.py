"""Encoders from a local folder: which are loaded, and which are refused."""

import shutil

import pytest
import safetensors.torch
import torch

from config import load_config
from model.pretrained import build_encoder
from utils.errors import UserError


def build(folder, *changes):
    config = load_config([], [f"encoder.name={folder}", *changes])
    return build_encoder(config.encoder, 3000, config.data.max_len + 2, pad=0)


def test_it_is_cut_to_its_first_layers(pretrained_folder):
    whole, cut = build(pretrained_folder), build(pretrained_folder, "encoder.layers=2")
    states, kept = whole.transformer.state_dict(), cut.transformer.state_dict()
    assert {name for name in states if ".layer.2." in name} == set(states) - set(kept) != set()
    assert all(torch.equal(states[name], kept[name]) for name in kept)


@torch.no_grad()
def test_layer_k_of_the_whole_is_the_last_of_the_cut(pretrained_folder):
    tokens, mask = torch.randint(5, 3000, (2, 9)), torch.ones(2, 7, dtype=torch.bool)
    cut = build(pretrained_folder, "encoder.layers=2").eval()(tokens, mask)
    one = build(pretrained_folder, "encoder.output=2").eval()(tokens, mask)
    torch.testing.assert_close(cut, one)


@torch.no_grad()
def test_a_fresh_mix_is_the_mean_of_all_layers(pretrained_folder):
    tokens, mask = torch.randint(5, 3000, (2, 9)), torch.ones(2, 7, dtype=torch.bool)
    mixed = build(pretrained_folder, "encoder.output=mix").eval()(tokens, mask)
    layers = [build(pretrained_folder, f"encoder.output={k}").eval()(tokens, mask) for k in range(4)]
    torch.testing.assert_close(mixed, torch.stack(layers).mean(0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("encoder.layers=4", "has 3 layers"),
        ("encoder.output=4", "layers 0 (embeddings) to 3"),
        ("data.max_len=151", "at most 152"),
    ],
)
def test_what_does_not_fit_is_said(pretrained_folder, change, message):
    with pytest.raises(UserError) as caught:
        build(pretrained_folder, change)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_without_weights_is_one_line(tmp_path):
    with pytest.raises(UserError) as caught:
        build(tmp_path)
    message = str(caught.value)
    assert str(tmp_path) in message and "no weights in it" in message and "encoder.name=PATH" in message
    assert "\n" not in message


def test_pickled_weights_are_not_read(pretrained_folder, tmp_path):
    encoder = build(pretrained_folder)
    encoder.transformer.config.save_pretrained(tmp_path)
    torch.save(encoder.transformer.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=f"never read; convert them with .* convert-encoder --input {tmp_path} --out"):
        build(tmp_path)


def refusal(folder):
    """The one line with which an encoder is refused."""
    with pytest.raises(UserError) as caught:
        build(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("remains", [2000, -10, 0], ids=["header cut", "data cut", "empty"])
def test_weights_that_were_cut_are_refused(pretrained_folder, tmp_path, remains):
    shutil.copytree(pretrained_folder, tmp_path, dirs_exist_ok=True)
    whole = (pretrained_folder / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:remains])
    assert "encoder.name=PATH" in refusal(tmp_path)


def test_weights_that_are_none_are_refused(pretrained_folder, tmp_path):
    shutil.copytree(pretrained_folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").write_text("no weights\n" * 100)
    assert "encoder.name=PATH" in refusal(tmp_path)


def changed(whole, folder, change):
    """A copy of an encoder with other weights: change gives those of a name, or none."""
    shutil.copytree(whole, folder, dirs_exist_ok=True)
    weights = safetensors.torch.load_file(whole / "model.safetensors")
    weights = {name: change(name, tensor) for name, tensor in weights.items()}
    kept = {name: tensor for name, tensor in weights.items() if tensor is not None}
    safetensors.torch.save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda name, tensor: None if ".layer.1." in name else tensor, "lack 16 of its tensors"),
        (lambda name, tensor: tensor[:-1].clone() if "word" in name else tensor, "lack 1 of its tensors"),
        (lambda name, tensor: None if "pooler" not in name else tensor, "lack 53 of its tensors"),
    ],
    ids=["a layer less", "another shape", "another model"],
)
def test_weights_of_another_model_are_refused(pretrained_folder, tmp_path, change, message):
    refused = refusal(changed(pretrained_folder, tmp_path, change))
    assert message in refused and "encoder.name=PATH" in refused


def test_a_pooler_is_not_missed(pretrained_folder, tmp_path):
    bare = changed(pretrained_folder, tmp_path, lambda name, tensor: None if "pooler" in name else tensor)
    whole, bare = build(pretrained_folder).state_dict(), build(bare).state_dict()
    assert whole.keys() == bare.keys() and all(torch.equal(whole[name], bare[name]) for name in whole)
