"""Device, precision and random numbers of one training."""

from contextlib import contextmanager

import torch


def resolve_device(device):
    """Return the torch device of a `device` parameter: "auto" is CUDA where there is one.

    Raises
    ------
    ValueError
        If torch knows no such device, or finds none on this machine.
    """
    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f'device={device!r} is no device of torch. Take "auto", "cpu" or "cuda".') from error
    if found.type == "cuda" and not (found.index or 0) < torch.cuda.device_count():
        raise ValueError(
            f"device={device!r}: torch {torch.__version__} finds {torch.cuda.device_count()} CUDA devices here. Take "
            '"auto", which is the CPU where there is none, or "cpu".'
        )
    return found


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
