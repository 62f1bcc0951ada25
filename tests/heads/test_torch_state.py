import pytest
import torch

from sktaag.heads._torch_state import isolated_seed, resolve_device, use_bfloat16


def test_auto_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    ("asked", "device", "supported", "used"),
    [
        ("auto", "cuda", True, True),
        (True, "cuda", True, True),
        (True, "cuda", False, False),
        (False, "cuda", True, False),
        (True, "cpu", True, False),
        ("auto", "cpu", True, False),
    ],
)
def test_bfloat16_on_cuda_only(monkeypatch, asked, device, supported, used):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    assert use_bfloat16(asked, torch.device(device)) is used


def test_seed_ends_with_its_block_even_after_an_error():
    before = torch.get_rng_state()

    def draw_and_fail():
        with isolated_seed(3, torch.device("cpu")):
            raise KeyError(torch.rand(1).item())

    with pytest.raises(KeyError) as first:
        draw_and_fail()
    with pytest.raises(KeyError) as second:
        draw_and_fail()
    assert first.value.args == second.value.args
    assert torch.equal(torch.get_rng_state(), before)
