"""One rule for the name of a device, in encoding and in training."""

from __future__ import annotations

import pytest
import torch

from structprobe.devices import find_device
from structprobe.errors import EncoderError, ProbeError, StructprobeError


def test_devices(monkeypatch):
    assert find_device("cpu") == torch.device("cpu")
    assert find_device(torch.device("cpu")) == torch.device("cpu")
    empty, asked = torch.empty, []

    def recorded(*size, device):
        asked.append(str(device))
        return empty(*size)

    monkeypatch.setattr(torch, "empty", recorded)
    for cuda, mps in ((True, True), (False, True), (False, False)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=cuda: there)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=mps: there)
        find_device("auto")
    assert asked == ["cuda", "mps", "cpu"]


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", 1.5])
def test_unknown_devices(name):
    with pytest.raises(
        StructprobeError, match=r"unknown device .*choose from 'auto', 'cpu', 'cuda'"
    ):
        find_device(name)


@pytest.mark.parametrize("error", [EncoderError, ProbeError])
@pytest.mark.parametrize("name", ["cuda:99", "meta", torch.device("meta")], ids=str)
def test_a_missing_device_is_refused_by_the_error_of_who_asks(name, error):
    with pytest.raises(error, match=r"device '.*' is not available; \d+ CUDA devices found"):
        find_device(name, error=error)
