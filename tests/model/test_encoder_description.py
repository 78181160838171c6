"""A config.json gives numbers and nothing else: no code, no question, no choice that is ours."""

import io
import json
import sys

import pytest
import transformers
from transformers import CONFIG_MAPPING

from config import EncoderConfig
from model.encoder_description import SUPPORTED, describe_encoder, read_description
from model.pretrained import load_transformer
from utils.errors import UserError

TINY = {"model_type": "bert", "vocab_size": 3000, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 152}  # fmt: skip


def read(folder, values):
    (folder / "config.json").write_text(values if isinstance(values, str) else json.dumps(values))
    return read_description(folder / "config.json", "fetch it again")


@pytest.mark.parametrize("kind", SUPPORTED)
def test_every_supported_kind_is_read_as_transformers_reads_it(tmp_path, kind):
    CONFIG_MAPPING[kind]().save_pretrained(tmp_path)
    theirs = transformers.AutoConfig.from_pretrained(tmp_path).to_dict()
    ours = read_description(tmp_path / "config.json", "")
    assert ours.to_dict() == theirs | {"_name_or_path": ""}
    assert read(tmp_path, describe_encoder(ours)).to_dict() == ours.to_dict()


def test_what_is_ours_to_set_is_not_the_files(tmp_path):
    foreign = {"attn_implementation": "flash_attention_2", "_attn_implementation": "eager", "dtype": "float16",
               "is_decoder": True, "add_cross_attention": True, "output_attentions": True, "use_cache": True,
               "auto_map": {"AutoModel": "code.Model"}, "quantization_config": {"quant_method": "bnb"},
               "architectures": ["Other"], "_name_or_path": "/home/somebody"}  # fmt: skip
    plain = read(tmp_path, TINY).to_dict()
    assert read(tmp_path, TINY | foreign).to_dict() == plain


@pytest.mark.parametrize(
    ("change", "telling"),
    [
        ({"model_type": "evil"}, "model_type 'evil' is not supported; choose an encoder of one of the types albert"),
        ({"model_type": None}, "model_type None is not supported"),
        ({"model_type": ["bert"]}, "is not supported"),
        ({"hidden_size": "16"}, "hidden_size is 384"),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"hidden_size": 16.5}, "describes no encoder"),
        ({"hidden_size": 10**12}, "hidden_size is 1e.12"),
        ({"num_hidden_layers": 10**6, "hidden_size": 1024}, "more than 4e.09 parameters"),
        ({"num_attention_heads": True}, "describes no encoder"),
        ({"layer_norm_eps": float("inf")}, "layer_norm_eps is inf"),
        ({"hidden_act": "os.system"}, "hidden_act 'os.system' is not one of gelu"),
    ],
)
def test_what_describes_no_encoder_is_one_line(tmp_path, change, telling):
    if "is 384" in telling:  # words where a number belongs are not taken, so the class's own value stands
        assert read(tmp_path, TINY | change).hidden_size == 768
        return
    with pytest.raises(UserError, match=telling):
        read(tmp_path, TINY | change)


@pytest.mark.parametrize("raw", ["", "[]", "{", '{"model_type": "bert", "vocab_size": 1' + "0" * 5000 + "}"])
def test_what_is_no_json_is_one_line(tmp_path, raw):
    with pytest.raises(UserError):
        read(tmp_path, raw)


def test_a_folder_with_code_runs_none_and_asks_nothing(tmp_path, pretrained_folder, monkeypatch):
    """The code of a folder runs if it is trusted. It must not be, even if standard input says yes."""
    for name in ("vocab.txt", "model.safetensors"):
        (tmp_path / name).write_bytes((pretrained_folder / name).read_bytes())
    (tmp_path / "code.py").write_text("import pathlib; pathlib.Path(__file__).with_name('ran').touch()\n")
    asked = io.StringIO("y\ny\ny\n")
    monkeypatch.setattr(sys, "stdin", asked)
    auto_map = {"AutoConfig": "code.Config", "AutoModel": "code.Model"}
    described = json.loads((pretrained_folder / "config.json").read_text())
    for kind in ("bert", "mine"):
        (tmp_path / "config.json").write_text(json.dumps(described | {"model_type": kind, "auto_map": auto_map}))
        if kind == "bert":
            load_transformer(EncoderConfig(name=str(tmp_path)))
        else:
            with pytest.raises(UserError, match="model_type 'mine' is not supported"):
                load_transformer(EncoderConfig(name=str(tmp_path)))
    assert not (tmp_path / "ran").exists() and asked.tell() == 0
