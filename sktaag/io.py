"""Fitted models in files, without pickle."""

import json

from sktaag.sources._model_file import read_model, write_model

__all__ = ["load_model", "save_model"]


def save_model(model, path, *, about=None):
    """Write a fitted model, whatever it is made of, to one file.

    The model may be a Pipeline over `FrozenFeaturizer`, a `SourceSearchCV`, a `TAAGRegressor`, or any estimator of
    scikit-learn around them. The file is a zip as `sktaag.sources.save_source` writes it: tensors of all networks as
    safetensors, each once; everything else as skops keeps estimators; a card in JSON with versions and the SHA-256
    of the other two.

    A file is for predicting. A `SourceSearchCV` comes back with its winner and results and `sources=None`, an estimator
    of transfer over graphs with its trained network and `source=None`: to fit these anew, set that parameter. Caches
    belong to a machine: `cache` and `memory` are None in the file.

    Parameters
    ----------
    model : fitted estimator
        Its networks are those of `sktaag.sources`, `sktaag.heads` and `sktaag.transfer`.
    path : path
        File to write. An existing one is replaced in one step, or left alone if anything fails.
    about : dict or None, default=None
        What else is to be kept, in JSON's types, such as name and unit of the target. `load_model` gives it back as
        the attribute ``about_``.

    Returns
    -------
    sha256 : str
        Digest of the file, to hand to whoever loads it.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If something in it cannot be kept without pickle, such as a lambda, or in JSON.

    See Also
    --------
    load_model : Reads the file.
    sktaag.sources.save_source : The same for a source.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktaag.descriptors import Fingerprints
    >>> from sktaag.io import load_model, save_model
    >>> from sktaag.sources import PyramidRegressor
    >>> from sktaag.transfer import FrozenFeaturizer
    >>> alkanes, boiling_points = ["C" * n for n in range(1, 9)], [112, 185, 231, 273, 309, 342, 372, 399]  # K
    >>> network = PyramidRegressor(hidden=(8, 4), max_epochs=3, random_state=0)
    >>> source = make_pipeline(Fingerprints(counts=True), network).fit(alkanes, boiling_points)
    >>> model = make_pipeline(FrozenFeaturizer(source), RandomForestRegressor(5, random_state=0))
    >>> model = model.fit(["CO", "CCO", "CCCO"], [338.0, 351.0, 370.0])
    >>> with TemporaryDirectory() as folder:
    ...     sha256 = save_model(model, f"{folder}/alcohols.sktaag", about={"target": "boiling point", "unit": "K"})
    ...     again = load_model(f"{folder}/alcohols.sktaag", sha256=sha256)
    >>> bool((again.predict(["CCCCO"]) == model.predict(["CCCCO"])).all())
    True
    >>> again.about_
    {'target': 'boiling point', 'unit': 'K'}
    """
    try:
        about = json.loads(json.dumps(about or {}))
    except (TypeError, ValueError) as error:
        raise TypeError(f"about must be a dict in JSON's types: {error}.") from error
    return write_model(model, path, "model", about)


def load_model(path, *, sha256=None, trusted=()):
    """Read a model that `save_model` wrote. No code in the file is run.

    Parameters
    ----------
    path : path
        File to read; one of `sktaag.sources.save_source` is read as well.
    sha256 : str or None, default=None
        Digest that the file must have.
    trusted : sequence of str, default=()
        Full names of classes, besides those of scikit-learn, numpy, scipy and sktaag, that the model may be made of.

    Returns
    -------
    model : fitted estimator
        Its networks are on the CPU. What `save_model` was given as `about` is its attribute ``about_``, a dict.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is torn, was changed, is of a newer format, or holds classes that are not trusted.

    See Also
    --------
    save_model : Writes the file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_diabetes
    >>> from sktaag.heads import NeuralRegressor
    >>> from sktaag.io import load_model, save_model
    >>> X, y = load_diabetes(return_X_y=True)
    >>> with TemporaryDirectory() as folder:
    ...     _ = save_model(NeuralRegressor(max_epochs=2, random_state=0).fit(X, y), f"{folder}/diabetes.sktaag")
    ...     load_model(f"{folder}/diabetes.sktaag").predict(X).shape
    (442,)
    """
    model, card = read_model(path, "model", sha256, trusted)
    model.about_ = card.get("about", {})
    return model
