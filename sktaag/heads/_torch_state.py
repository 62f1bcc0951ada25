"""Device, precision and random numbers of one training."""

from contextlib import contextmanager

import torch


def resolve_device(device):
    """Return the torch device of a `device` parameter: "auto" is CUDA where there is one."""
    if isinstance(device, str) and device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def use_bfloat16(mixed_precision, device):
    """Whether to train in bfloat16: on CUDA devices that have it, if asked for or "auto"; never on the CPU."""
    if mixed_precision not in (True, False, "auto"):
        raise ValueError(f'mixed_precision must be True, False or "auto", got {mixed_precision!r}.')
    return bool(mixed_precision) and device.type == "cuda" and torch.cuda.is_bf16_supported()


@contextmanager
def isolated_seed(seed, device):
    """Seed torch for a block of code; afterwards its generators are as they were."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every CUDA device as well
        if devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
