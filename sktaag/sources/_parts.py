"""A fitted model taken apart, into networks and the steps around them as bytes, and put together again."""

import hashlib
import io
import json
import os
import secrets
import zipfile
from copy import copy
from functools import cache
from importlib.metadata import version
from types import ModuleType

import numpy as np
import skops.io
import torch
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sktaag.sources._trees import TREE, find_bad_tree

_AGAIN = "Fit and save it again with the libraries that are installed here."
# they hold nothing but parameters, though not every version of skops knows them
_HARMLESS = (
    "sktaag.",
    "sklearn._loss.",
    "sklearn.gaussian_process._gpc.",
    "sklearn.gaussian_process.kernels.",
    "sklearn.metrics._classification.",
    "sklearn.metrics._ranking.",
    "sklearn.metrics._regression.",
    "sklearn.metrics._scorer.",
    "sklearn.metrics.cluster._supervised.",
    "sklearn.model_selection._split.",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils._metadata_requests.",
)
_NETWORK = "restore_net"  # what has it holds networks, and gives them up
_NETS = ("net_", "backbone_", "readout_")  # where it keeps them
_OF_A_MACHINE = ("cache", "memory")  # parameters that mean nothing elsewhere
_LEAVES = (str, bytes, int, float, type, ModuleType, torch.nn.Module, torch.Tensor, type(None))
_LIBRARIES = ("numpy", "rdkit", "scikit-learn", "sktaag", "torch")


@cache
def library_versions():
    """Versions of the libraries that decide what a source predicts, as dict of str."""
    return {library: version(library) for library in _LIBRARIES}


def take_apart(model):
    """Copy a model without its networks, caches and memories, wherever in it they are.

    Parameters
    ----------
    model : fitted estimator

    Returns
    -------
    steps : estimator
        The copy.
    networks : dict of str to (estimator, dict, dict)
        For the place of each network in the model: the estimator in `steps` that lost its net, and what its
        `net_state` was, on the CPU.
    """
    networks = {}

    def without_net(estimator, name):
        bare = copy(estimator)
        if hasattr(bare, "source"):  # what it was fitted from is not needed any more
            bare.source = None
        nets = [vars(bare).pop(name) for name in _NETS if name in vars(bare)]
        bare = _walk(bare, name, without_net, inside=True)
        if nets:  # a VotingRegressor, for one, keeps estimators that are not fitted as well
            params, tensors = estimator.net_state()
            networks[name] = bare, params, {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
        return bare

    return _walk(model, "source", without_net), networks


def find_networks(model):
    """List place and estimator of each network, fitted or not, in the order in which `take_apart` meets them."""
    found = []

    def note(estimator, name):
        found.append((name, estimator))
        return estimator

    _walk(model, "source", note)
    return found


def _walk(holder, name, at_network, inside=False, above=()):
    """Visit all that an object holds; return the object, or a copy of it if anything in it was replaced.

    Parameters
    ----------
    holder : object
    name : str
        Place of the object.
    at_network : callable
        Takes an estimator that has a network, and its place; returns what is to stand there.
    inside : bool, default=False
        Look into `holder` even if it has a network itself.
    above : tuple of int
        Ids of the objects that hold it, for some hold each other.

    Returns
    -------
    holder : object
    """
    if isinstance(holder, _LEAVES) or id(holder) in above:
        return holder
    if hasattr(type(holder), _NETWORK) and not inside:
        return at_network(holder, name)
    above = (*above, id(holder))

    def walk(parts):
        new = {key: _walk(part, f"{name}/{key}", at_network, above=above) for key, part in parts.items()}
        return {key: part for key, part in new.items() if part is not parts[key]}

    if isinstance(holder, (dict, list)) or (type(holder) is np.ndarray and holder.dtype.hasobject):
        items = {dict: dict.items, list: enumerate, np.ndarray: np.ndenumerate}
        parts = dict(next(of(holder) for kind, of in items.items() if isinstance(holder, kind)))
        if new := walk(parts):
            holder = copy(holder)
            for key, part in new.items():
                holder[key] = part
    elif isinstance(holder, tuple):
        if new := walk(dict(enumerate(holder))):
            parts = [new.get(i, part) for i, part in enumerate(holder)]
            holder = type(holder)(*parts) if hasattr(holder, "_fields") else tuple(parts)
    elif isinstance(holder, Pipeline):  # places are named by the steps
        new = walk(dict(holder.steps))
        if new or holder.memory is not None:
            holder = copy(holder)
            holder.steps = [(step, new.get(step, part)) for step, part in holder.steps]
            holder.memory = None
    elif isinstance(holder, FrozenEstimator):
        if new := walk({"frozen": holder.estimator}):
            holder = FrozenEstimator(new["frozen"])
    elif hasattr(holder, "__dict__"):
        holder = holder._for_file() if hasattr(type(holder), "_for_file") else holder
        new = walk(vars(holder))
        if isinstance(holder, BaseEstimator):
            new |= {key: None for key in _OF_A_MACHINE if vars(holder).get(key) is not None}
        if new:
            holder = copy(holder)
            vars(holder).update(new)
    return holder


def dump_steps(steps, kind="source"):
    """Turn a model without networks into bytes of skops, the same bytes for the same content.

    Parameters
    ----------
    steps : estimator
    kind : str, default="source"
        What the message calls it.

    Returns
    -------
    content : bytes

    Raises
    ------
    TypeError
        If something in it cannot be kept without pickle.
    """
    try:
        content = _canonical(skops.io.dumps(steps))
        skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))  # a lambda fails only here
    except Exception as error:
        raise TypeError(
            f"The {kind} cannot be kept without pickle ({type(error).__name__}: {error}). Build it of importable "
            "classes and functions, without lambdas, generators or pandas objects."
        ) from error
    return content


def load_steps(content, path, trusted=()):
    """Undo `dump_steps`, unless a class is neither known nor trusted.

    Parameters
    ----------
    content : bytes
    path : path
        Where they come from, for the message.
    trusted : sequence of str, default=()
        Full names of classes.

    Returns
    -------
    steps : estimator

    Raises
    ------
    ValueError
        If a class is foreign, or this version of scikit-learn or skops does not know what was written.
    """
    try:
        unknown = skops.io.get_untrusted_types(data=content)
    except Exception as error:
        raise ValueError(f"{path} cannot be read ({type(error).__name__}: {error}). {_AGAIN}") from error
    foreign = [name for name in unknown if not name.startswith(_HARMLESS) and name != TREE and name not in trusted]
    if foreign:
        raise ValueError(f"{path} holds {', '.join(foreign)}. If you trust whoever wrote it, pass trusted={foreign!r}.")
    try:
        steps = skops.io.loads(content, trusted=unknown)
    except Exception as error:
        raise ValueError(f"{path} cannot be read ({type(error).__name__}: {error}). {_AGAIN}") from error
    if TREE not in trusted and (reason := find_bad_tree(steps)):
        raise ValueError(f"{path} holds {reason}, and may crash Python. If you trust it, pass trusted=[{TREE!r}].")
    return steps


def write_whole(path, content):
    """Write a file that is either there as a whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
    content : bytes
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _canonical(content):
    """Name the arrays in bytes of skops by what they hold, not by where they happened to be in memory."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = json.loads(archive.read("schema.json"))
        files = {name: archive.read(name) for name in archive.namelist() if name != "schema.json"}
    names = {name: f"{hashlib.sha256(array).hexdigest()}.{name.rpartition('.')[2]}" for name, array in files.items()}

    def rename(node):
        if isinstance(node, list):
            return [rename(part) for part in node]
        if not isinstance(node, dict):
            return node
        # "__id__" only tells equal objects from one and the same; children of that name are nodes, not numbers
        kept = {key: rename(part) for key, part in node.items() if not (key == "__id__" and isinstance(part, int))}
        if isinstance(kept.get("file"), str):
            kept["file"] = names[kept["file"]]
        return kept

    members = {names[name]: array for name, array in sorted(files.items(), key=lambda item: names[item[0]])}
    members["schema.json"] = json.dumps(rename(schema)).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in members.items():
            archive.writestr(zipfile.ZipInfo(name), array)  # ZipInfo: its date is a constant
    return buffer.getvalue()
