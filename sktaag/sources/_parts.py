"""A fitted source taken apart, into networks and the steps around them as bytes, and put together again."""

import hashlib
import io
import json
import os
import secrets
import zipfile
from copy import copy
from functools import cache
from importlib.metadata import version

import skops.io
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

from sktaag.sources._trees import TREE, find_bad_tree

_AGAIN = "Fit and save the source again with the libraries that are installed here."
# they hold nothing but parameters, though not every version of skops knows them
_HARMLESS = ("sktaag.", "sklearn._loss.", "sklearn.gaussian_process.kernels.", "sklearn.utils._bunch.Bunch")
_NETWORK = "restore_net"  # what has it holds networks, and gives them up
_LIBRARIES = ("numpy", "rdkit", "scikit-learn", "sktaag", "torch")


@cache
def library_versions():
    """Versions of the libraries that decide what a source predicts, as dict of str."""
    return {library: version(library) for library in _LIBRARIES}


def take_apart(source):
    """Copy a source without its networks, caches and memories.

    Parameters
    ----------
    source : fitted estimator

    Returns
    -------
    steps : estimator
        The copy.
    networks : dict of str to (estimator, dict, dict)
        For the place of each network in the source: the estimator in `steps` that lost its net, and what its
        `net_state` was, on the CPU.
    """
    networks = {}

    def without_net(estimator, name):
        if isinstance(estimator, Pipeline):
            estimator = copy(estimator)
            estimator.steps = [(step, without_net(part, f"{name}/{step}")) for step, part in estimator.steps]
            estimator.memory = None
        elif isinstance(estimator, FeatureUnion):
            estimator = copy(estimator)
            estimator.transformer_list = [
                (step, without_net(part, f"{name}/{step}")) for step, part in estimator.transformer_list
            ]
        elif isinstance(estimator, FrozenEstimator):
            estimator = FrozenEstimator(without_net(estimator.estimator, f"{name}/frozen"))
        elif hasattr(estimator, _NETWORK):
            params, tensors = estimator.net_state()
            estimator = copy(estimator)
            del estimator.net_
            if hasattr(estimator, "cache"):
                estimator.cache = None
            if hasattr(estimator, "source"):  # what it was fitted from is not needed any more
                estimator.source = None
            for part in ("graphs", "graphs_"):
                if hasattr(estimator, part):
                    setattr(estimator, part, without_net(getattr(estimator, part), part))
            networks[name] = (
                estimator,
                params,
                {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()},
            )
        elif hasattr(estimator, "cache"):
            estimator = copy(estimator)
            estimator.cache = None
        return estimator

    return without_net(source, "source"), networks


def find_networks(estimator, name="source"):
    """Yield place and estimator of each network that `take_apart` would find."""
    if isinstance(estimator, Pipeline):
        for step, part in estimator.steps:
            yield from find_networks(part, f"{name}/{step}")
    elif isinstance(estimator, FrozenEstimator):
        yield from find_networks(estimator.estimator, f"{name}/frozen")
    elif hasattr(estimator, _NETWORK):
        yield name, estimator


def dump_steps(steps):
    """Turn a source without networks into bytes of skops, the same bytes for the same content.

    Parameters
    ----------
    steps : estimator

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
            f"The source cannot be kept without pickle ({type(error).__name__}: {error}). Build it of importable "
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
