"""Sources as files: tensors and checked text, never code."""

import hashlib
import io
import json
import os
import tempfile
import zipfile
from copy import copy
from importlib.metadata import version
from pathlib import Path

import safetensors.torch
import skops.io
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

import sktaag
from sktaag.heads._base import NeuralEstimator

_FORMAT = 1
_LIBRARIES = ("numpy", "rdkit", "scikit-learn", "sktaag", "torch")


def save_source(source, path):
    """Write a fitted source to one file.

    The file is a zip of `weights.safetensors` (the networks), `steps.skops` (everything else, as skops keeps
    scikit-learn estimators) and `source.json` (versions of the libraries, SHA-256 of the other two).

    Parameters
    ----------
    source : fitted Pipeline or network
        A chain whose networks are those of `sktaag.sources` and `sktaag.heads`.
    path : path
        File to write. An existing one is replaced in one step, or left alone if anything fails.

    Returns
    -------
    sha256 : str
        Digest of the file, to hand to whoever loads it.

    Raises
    ------
    NotFittedError
        If the source is not fitted.

    See Also
    --------
    load_source : Reads the file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_diabetes
    >>> from sktaag.sources import PyramidRegressor, load_source, save_source
    >>> X, y = load_diabetes(return_X_y=True)
    >>> source = PyramidRegressor(hidden=(8, 4), max_epochs=2, random_state=0).fit(X, y)
    >>> with TemporaryDirectory() as folder:
    ...     sha256 = save_source(source, f"{folder}/diabetes.source")
    ...     again = load_source(f"{folder}/diabetes.source", sha256=sha256)
    >>> bool((again.predict(X) == source.predict(X)).all())
    True
    """
    check_is_fitted(source)
    networks, weights = {}, {}

    def without_net(estimator, name):
        if isinstance(estimator, Pipeline):
            estimator = copy(estimator)
            estimator.steps = [(step, without_net(part, f"{name}/{step}")) for step, part in estimator.steps]
        elif isinstance(estimator, FrozenEstimator):
            estimator = FrozenEstimator(without_net(estimator.estimator, f"{name}/frozen"))
        elif isinstance(estimator, NeuralEstimator):
            networks[name], tensors = estimator.net_state()
            weights.update({f"{name}:{key}": tensor.cpu().contiguous() for key, tensor in tensors.items()})
            estimator = copy(estimator)
            del estimator.net_
        return estimator

    steps = skops.io.dumps(without_net(source, "source"))
    members = {"steps.skops": steps, "weights.safetensors": safetensors.torch.save(weights)}
    card = {
        "format": _FORMAT,
        "networks": networks,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()},
        "versions": {library: version(library) for library in _LIBRARIES},
    }
    members["source.json"] = json.dumps(card, indent=1).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    _replace(Path(path), buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def load_source(path, *, sha256=None, trusted=()):
    """Read a source that `save_source` wrote. No code in the file is run.

    Parameters
    ----------
    path : path
        File to read.
    sha256 : str or None, default=None
        Digest that the file must have.
    trusted : sequence of str, default=()
        Full names of classes, besides those of scikit-learn, numpy, scipy and sktaag, that the source may be made of.

    Returns
    -------
    source : fitted Pipeline or network
        Its networks are on the CPU.

    Raises
    ------
    ValueError
        If the file is torn, was changed, is of a newer format, or holds classes that are not trusted.

    See Also
    --------
    save_source : Writes the file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_diabetes
    >>> from sktaag.sources import PyramidRegressor, load_source, save_source
    >>> X, y = load_diabetes(return_X_y=True)
    >>> with TemporaryDirectory() as folder:
    ...     path = f"{folder}/diabetes.source"
    ...     _ = save_source(PyramidRegressor(hidden=(8, 4), max_epochs=2).fit(X, y), path)
    ...     load_source(path).hidden_sizes_
    (8, 4)
    """
    content = Path(path).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise ValueError(f"{path} has SHA-256 {found}, not {sha256}. Get the file again from where it came.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            card = json.loads(archive.read("source.json"))
            if card["format"] > _FORMAT:
                raise ValueError(
                    f"{path} has format {card['format']}; sktaag {sktaag.__version__} reads up to {_FORMAT}. "
                    "Update sktaag."
                )
            members = {name: archive.read(name) for name in card["sha256"]}
    except (zipfile.BadZipFile, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is damaged or no source file ({error}). Save the source again.") from error
    for name, expected in card["sha256"].items():
        if hashlib.sha256(members[name]).hexdigest() != expected:
            raise ValueError(f"{path} is damaged: {name} is not what was saved. Get the file again.")
    unknown = skops.io.get_untrusted_types(data=members["steps.skops"])
    foreign = [name for name in unknown if not name.startswith("sktaag.") and name not in trusted]
    if foreign:
        raise ValueError(f"{path} holds {', '.join(foreign)}. If you trust whoever wrote it, pass trusted={foreign!r}.")
    weights = safetensors.torch.load(members["weights.safetensors"])
    source = skops.io.loads(members["steps.skops"], trusted=unknown)
    for name, estimator in _networks(source, "source"):
        prefix = f"{name}:"
        state = {key.removeprefix(prefix): tensor for key, tensor in weights.items() if key.startswith(prefix)}
        estimator.restore_net(card["networks"][name], state)
    return source


def _networks(estimator, name):
    if isinstance(estimator, Pipeline):
        for step, part in estimator.steps:
            yield from _networks(part, f"{name}/{step}")
    elif isinstance(estimator, FrozenEstimator):
        yield from _networks(estimator.estimator, f"{name}/frozen")
    elif isinstance(estimator, NeuralEstimator):
        yield name, estimator


def _replace(path, content):
    """Write a file that is either there as a whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
