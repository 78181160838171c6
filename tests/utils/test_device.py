"""Which precision a device computes in."""

import os
import pathlib
import platform

import pytest
import torch

import utils.device
from utils.device import choose_half, has_bf16

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
PROCESSOR = pathlib.Path("/proc/cpuinfo")


@pytest.fixture
def processor(monkeypatch):
    """A function that stands in another processor: what PyTorch may use of it, and what it has."""

    def put(capability, *instructions):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(instructions, True))
        utils.device._warn_of_emulation.cache_clear()

    yield put
    utils.device._warn_of_emulation.cache_clear()


@pytest.mark.parametrize(
    ("capability", "instructions", "native"),
    [
        ("AVX512", ["avx512_f", "avx512_bf16"], True),
        ("AVX512", ["avx512_f", "amx_bf16"], True),
        ("AVX512", ["avx512_f"], False),
        ("AVX2", ["avx2"], False),
        ("AVX2", ["avx2", "avx512_bf16"], False),  # PyTorch was told not to use them
        ("DEFAULT", [], False),
    ],
)
def test_auto_takes_bf16_where_the_processor_has_it(processor, capsys, capability, instructions, native):
    processor(capability, *instructions)
    assert has_bf16(CPU) == choose_half("auto", CPU) == native
    assert choose_half("float32", CPU) is False
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_is_asked_without_emulation(monkeypatch, native):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native and not including_emulation)
    assert has_bf16(CUDA) == choose_half("auto", CUDA) == native


def test_an_explicit_bf16_is_followed_and_warns_once_where_it_is_emulated(processor, capsys):
    processor("AVX2", "avx2")
    assert choose_half("bf16", CPU) and choose_half("bf16", CPU)
    assert capsys.readouterr().err == (
        "train.precision is bf16, which this cpu device emulates slowly; set train.precision to auto\n"
    )
    processor("AVX512", "avx512_bf16")
    assert choose_half("bf16", CPU)
    assert capsys.readouterr().err == ""


@pytest.mark.half_precision
@pytest.mark.skipif(not PROCESSOR.exists() or platform.machine() != "x86_64", reason="reads Linux's list of x86 flags")
def test_this_processor_is_what_the_system_says_it_is():
    flags = set(PROCESSOR.read_text().split())
    told_to_use_less = os.environ.get("ATEN_CPU_CAPABILITY") in ("default", "avx2")
    assert has_bf16(CPU) == (bool(flags & {"avx512_bf16", "amx_bf16"}) and not told_to_use_less)
