"""Files of `torch.save` that other programs have written."""

from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def load_checkpoint(path: str | PathLike[str], trusted: bool | None = False) -> Any:
    """Read what a file holds, on the CPU.

    Parameters
    ----------
    path : path
    trusted : bool or None, default=False
        Run code that the file holds. None is False where the user has no such choice.

    Raises
    ------
    ValueError
        If torch cannot read the file, or cannot without running code.
    OSError
        If there is no such file.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=not trusted)
    except OSError:
        raise
    except Exception as error:
        if trusted:
            raise ValueError(f"{Path(path)} is no file that torch can read: {error!r}") from error
        advice = "" if trusted is None else " If you know who made it, load it with trusted=True."
        raise ValueError(
            f"{Path(path)} is no file of torch.save, or holds more than tensors, numbers and text, and loading it can "
            f"run code.{advice}"
        ) from error


def state_of(file: Any) -> dict[str, Tensor]:
    """Find the weights in what a file holds: the whole of it or its part "state_dict"; empty if there are none."""
    state = file.get("state_dict", file) if isinstance(file, dict) else {}
    return state if isinstance(state, dict) else {}


def target_std(file: dict[str, Any]) -> float:
    """Find the unit in which a network of the Open Catalyst Project predicts; one if the file does not say."""
    return float(((file.get("normalizers") or {}).get("target") or {}).get("std", 1.0))


def check_weights(
    path: str | PathLike[str], kind: str, weights: dict[str, Tensor], own: dict[str, Tensor], too_many: list[str]
) -> None:
    """Raise ValueError if the weights of a file do not fit those of the network that is to take them."""
    other = [name for name, value in own.items() if name not in weights or weights[name].shape != value.shape]
    other += too_many
    if other:
        raise ValueError(
            f"{Path(path)} holds another kind of {kind}: {len(other)} weights are missing, too many or of another "
            f"shape, the first for {other[0]}."
        )
