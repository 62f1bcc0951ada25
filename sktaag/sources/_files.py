"""Sources as files: tensors and checked text, never code."""

from pathlib import Path

from sktaag.sources._model_file import read_model, write_model
from sktaag.sources._model_library import ModelLibrary


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
    return write_model(source, path, "source")


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
    return read_model(path, "source", sha256, trusted)[0]
