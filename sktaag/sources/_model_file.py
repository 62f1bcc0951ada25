"""One file for one fitted model: tensors and checked text, never code."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import safetensors.torch
from sklearn.utils.validation import check_is_fitted

import sktaag
from sktaag.sources._parts import dump_steps, find_networks, library_versions, load_steps, take_apart, write_whole

_FORMAT = 1
_STEPS, _WEIGHTS, _CARD = "steps.skops", "weights.safetensors", "source.json"
# what the zip reader and the JSON reader raise on bytes that are neither
_UNREADABLE = (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError)


def write_model(model, path, kind, about=None):
    """Write a fitted model to one file.

    Parameters
    ----------
    model : fitted estimator
    path : path
        An existing file is replaced in one step, or left alone if anything fails.
    kind : {"source", "model"}
        What messages call it.
    about : dict or None, default=None
        In JSON's types, to be kept with it.

    Returns
    -------
    sha256 : str
        Digest of the file.
    """
    if hasattr(model, "fit"):  # those of MAPIE, for one, have methods of other names
        check_is_fitted(model)
    steps, networks = take_apart(model)
    weights, same, first = {}, {}, {}
    for place, (_, _, tensors) in networks.items():
        for key, tensor in tensors.items():
            name, content = f"{place}:{key}", (str(tensor.dtype), tuple(tensor.shape), _digest(tensor))
            if content in first:  # a parameter and the fitted copy of it, say
                same[name] = first[content]
            else:
                first[content], weights[name] = name, tensor
    members = {_STEPS: dump_steps(steps, kind), _WEIGHTS: safetensors.torch.save(weights)}
    card = {
        "format": _FORMAT,
        "networks": {name: params for name, (_, params, _) in networks.items()},
        "same": same,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()},
        "versions": library_versions(),
        "model": type(model).__name__,
        "about": about or {},
    }
    members[_CARD] = json.dumps(card, indent=1).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    write_whole(Path(path), buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def read_model(path, kind, sha256=None, trusted=()):
    """Undo `write_model`; parameters and errors as those of `load_source`.

    Returns
    -------
    model : fitted estimator
    card : dict
    """
    content = Path(path).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise ValueError(f"{path} has SHA-256 {found}, not {sha256}. Get the file again from where it came.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            card = json.loads(archive.read(_CARD))
            newer = card["format"] > _FORMAT
            members = {} if newer else {name: archive.read(name) for name in (_STEPS, _WEIGHTS)}
            damaged = [name for name in members if hashlib.sha256(members[name]).hexdigest() != card["sha256"][name]]
    except _UNREADABLE as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} is damaged or no {kind} file ({reason}). Get or save it again.") from error
    if newer:
        raise ValueError(
            f"{path} has format {card['format']}; sktaag {sktaag.__version__} reads up to {_FORMAT}. Update sktaag."
        )
    if damaged:
        raise ValueError(f"{path} is damaged: {' and '.join(damaged)} is not what was saved. Get or save it again.")
    model = load_steps(members[_STEPS], path, trusted)
    try:
        weights = safetensors.torch.load(members[_WEIGHTS])
        weights |= {name: weights[first] for name, first in card.get("same", {}).items()}
        for place, estimator in find_networks(model):
            if place in card["networks"]:
                prefix = f"{place}:"
                state = {name.removeprefix(prefix): t for name, t in weights.items() if name.startswith(prefix)}
                estimator.restore_net(card["networks"][place], state)
    except (AttributeError, *_UNREADABLE, safetensors.SafetensorError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} does not fit together ({reason}). Get or save it again.") from error
    return model, card


def _digest(tensor):
    return hashlib.sha256(tensor.numpy().tobytes()).digest()
