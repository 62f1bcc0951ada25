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
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils.validation import check_is_fitted

import sktaag
from sktaag.heads._base import NeuralEstimator

_FORMAT = 1
_STEPS, _WEIGHTS, _CARD = "steps.skops", "weights.safetensors", "source.json"
# what the zip reader and the JSON reader raise on bytes that are neither
_UNREADABLE = (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError)
_LIBRARIES = ("numpy", "rdkit", "scikit-learn", "sktaag", "torch")


def save_source(source, path):
    """Write a fitted source to one file.

    The file is a zip of `weights.safetensors` (the networks), `steps.skops` (everything else, as skops keeps
    scikit-learn estimators) and `source.json` (versions of the libraries, SHA-256 of the other two). Caches belong to
    a machine: the parameters `cache` and `memory` of the steps are None in the file.

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
    TypeError
        If a step cannot be kept without pickle, e.g. for a lambda in it.

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
            estimator.memory = None
        elif isinstance(estimator, FeatureUnion):
            estimator = copy(estimator)
            estimator.transformer_list = [
                (step, without_net(part, f"{name}/{step}")) for step, part in estimator.transformer_list
            ]
        elif isinstance(estimator, FrozenEstimator):
            estimator = FrozenEstimator(without_net(estimator.estimator, f"{name}/frozen"))
        elif isinstance(estimator, NeuralEstimator):
            networks[name], tensors = estimator.net_state()
            weights.update({f"{name}:{key}": tensor.cpu().contiguous() for key, tensor in tensors.items()})
            estimator = copy(estimator)
            del estimator.net_
        elif hasattr(estimator, "cache"):
            estimator = copy(estimator)
            estimator.cache = None
        return estimator

    members = {_STEPS: _dump(without_net(source, "source")), _WEIGHTS: safetensors.torch.save(weights)}
    card = {
        "format": _FORMAT,
        "networks": networks,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()},
        "versions": {library: version(library) for library in _LIBRARIES},
    }
    members[_CARD] = json.dumps(card, indent=1).encode()
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
            card = json.loads(archive.read(_CARD))
            newer = card["format"] > _FORMAT
            members = {} if newer else {name: archive.read(name) for name in (_STEPS, _WEIGHTS)}
            damaged = [name for name in members if hashlib.sha256(members[name]).hexdigest() != card["sha256"][name]]
    except _UNREADABLE as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} is damaged or no source file ({reason}). Get or save it again.") from error
    if newer:
        raise ValueError(
            f"{path} has format {card['format']}; sktaag {sktaag.__version__} reads up to {_FORMAT}. Update sktaag."
        )
    if damaged:
        raise ValueError(f"{path} is damaged: {' and '.join(damaged)} is not what was saved. Get or save it again.")
    unknown = skops.io.get_untrusted_types(data=members[_STEPS])
    foreign = [name for name in unknown if not name.startswith("sktaag.") and name not in trusted]
    if foreign:
        raise ValueError(f"{path} holds {', '.join(foreign)}. If you trust whoever wrote it, pass trusted={foreign!r}.")
    weights = safetensors.torch.load(members[_WEIGHTS])
    source = skops.io.loads(members[_STEPS], trusted=unknown)
    for name, estimator in _networks(source, "source"):
        prefix = f"{name}:"
        state = {key.removeprefix(prefix): tensor for key, tensor in weights.items() if key.startswith(prefix)}
        estimator.restore_net(card["networks"][name], state)
    return source


def _dump(steps):
    """Turn what comes before the network into bytes that can be read again."""
    try:
        content = skops.io.dumps(steps)
        skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))  # a lambda fails only here
    except Exception as error:
        raise TypeError(
            f"The source cannot be kept without pickle ({type(error).__name__}: {error}). Build it of importable "
            "classes and functions, without lambdas, generators or pandas objects."
        ) from error
    return content


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
