"""Sources as files: tensors and checked text, never code."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import safetensors.torch
from sklearn.utils.validation import check_is_fitted

import sktaag
from sktaag.sources._model_library import ModelLibrary
from sktaag.sources._parts import dump_steps, find_networks, library_versions, load_steps, take_apart, write_whole

_FORMAT = 1
_STEPS, _WEIGHTS, _CARD = "steps.skops", "weights.safetensors", "source.json"
# what the zip reader and the JSON reader raise on bytes that are neither
_UNREADABLE = (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError)


def save_source(source, path):
    """Write a fitted source to one file.

    The file is a zip of `weights.safetensors` (the networks), `steps.skops` (everything else, as skops keeps
    scikit-learn estimators) and `source.json` (versions of the libraries, SHA-256 of the other two). Caches belong to
    a machine: the parameters `cache` and `memory` of the steps are None in the file.

    Parameters
    ----------
    source : fitted Pipeline, network or PyramidEnsemble
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
    steps, networks = take_apart(source)
    weights = {f"{name}:{key}": tensor for name, (_, _, tensors) in networks.items() for key, tensor in tensors.items()}
    members = {_STEPS: dump_steps(steps), _WEIGHTS: safetensors.torch.save(weights)}
    card = {
        "format": _FORMAT,
        "networks": {name: params for name, (_, params, _) in networks.items()},
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()},
        "versions": library_versions(),
    }
    members[_CARD] = json.dumps(card, indent=1).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    write_whole(Path(path), buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def load_source(path, *, sha256=None, trusted=()):
    """Read a source that `save_source` wrote, or one of a `ModelLibrary`. No code in the file is run.

    Parameters
    ----------
    path : path
        File to read, or ``"folder#id"`` for a model in a library.
    sha256 : str or None, default=None
        Digest that the file must have. The id of a model in a library is a digest itself.
    trusted : sequence of str, default=()
        Full names of classes, besides those of scikit-learn, numpy, scipy and sktaag, that the source may be made of.

    Returns
    -------
    source : fitted Pipeline, network or PyramidEnsemble
        Its networks are on the CPU.

    Raises
    ------
    KeyError
        If the library has no such model.
    ValueError
        If the file is torn, was changed, is of a newer format, or holds classes that are not trusted.

    See Also
    --------
    save_source : Writes the file.
    ModelLibrary : Keeps many.

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
    folder, _, model_id = str(path).rpartition("#")
    if folder and not Path(path).exists():
        if sha256 is not None and not sha256.startswith(model_id):
            raise ValueError(
                f"{path} is named by its SHA-256, which does not begin like {sha256}. Get the other model."
            )
        return ModelLibrary(folder).get(model_id, trusted=trusted)
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
    source = load_steps(members[_STEPS], path, trusted)
    weights = safetensors.torch.load(members[_WEIGHTS])
    for name, estimator in find_networks(source):
        prefix = f"{name}:"
        state = {key.removeprefix(prefix): tensor for key, tensor in weights.items() if key.startswith(prefix)}
        estimator.restore_net(card["networks"][name], state)
    return source
