"""Names of devices and number formats; what only a GPU can show is left to one."""

from __future__ import annotations

import pytest
import torch

from sbirctl.core.device import pick_device, pick_dtype, slow_precision
from sbirctl.core.errors import UsageError


def test_auto_takes_the_best_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("auto").type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device("auto").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto").type == "cuda"


def test_absent_and_unknown_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert pick_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(UsageError, match="no device 'cuda:1'"):
        pick_device("cuda:1")
    with pytest.raises(UsageError) as caught:
        pick_device("cudda")
    assert "'cuda'" in caught.value.hint


def test_bf16_is_chosen_where_the_gpu_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda:0")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert pick_dtype("auto", gpu) == torch.float32
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    assert pick_dtype("auto", gpu) == torch.bfloat16
    assert pick_dtype("fp32", gpu) == torch.float32


def test_names_of_formats() -> None:
    cpu = torch.device("cpu")
    assert pick_dtype("auto", cpu) == torch.float32
    assert pick_dtype("bf16", cpu) == pick_dtype("bfloat16", cpu) == torch.bfloat16
    assert pick_dtype("fp16", cpu) == pick_dtype("float16", cpu) == torch.float16
    with pytest.raises(UsageError, match="'bf61'"):
        pick_dtype("bf61", cpu)


@pytest.mark.parametrize(
    "bf16, amx, slow", [(False, False, True), (True, False, False), (False, True, False)]
)
def test_a_format_that_the_processor_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch, bf16: bool, amx: bool, slow: bool
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    names = {"avx512_bf16": bf16, "amx_tile": amx, "amx_fp16": amx}
    for name, there in names.items():
        if not hasattr(torch.cpu, f"_is_{name}_supported"):
            pytest.skip(f"this torch does not ask for {name}")
        monkeypatch.setattr(torch.cpu, f"_is_{name}_supported", lambda there=there: there)
    cpu = torch.device("cpu")
    assert slow_precision(torch.float32, cpu) == ""
    assert ("precision=bf16 is slower" in slow_precision(torch.bfloat16, cpu)) == slow
    assert ("precision=fp16 is slower" in slow_precision(torch.float16, cpu)) == (not amx)
    assert slow_precision(torch.float16, torch.device("cuda")) == ""
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert slow_precision(torch.bfloat16, cpu) == ""
