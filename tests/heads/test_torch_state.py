import pytest
import torch

from sktaag.heads._torch_state import isolated_seed, resolve_device, use_bfloat16


def test_auto_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device("cpu") == torch.device("cpu")


def test_devices_that_are_not_there(monkeypatch):
    with pytest.raises(ValueError, match=r'\'gpu\' is no device of torch\. Take "auto", "cpu" or "cuda"'):
        resolve_device("gpu")
    with pytest.raises(ValueError, match=r"device=1\.5 is no device"):
        resolve_device(1.5)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match=r"device='cuda': torch .* finds 0 CUDA devices here. Take \"auto\""):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match=r"'cuda:2'.* finds 2 CUDA devices"):
        resolve_device("cuda:2")


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
