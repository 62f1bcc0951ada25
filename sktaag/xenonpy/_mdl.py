"""XenonPy.MDL over a library on one's own disk."""

import os
from pathlib import Path

import pandas as pd
from sklearn.base import BaseEstimator

from sktaag.sources import ModelLibrary
from sktaag.xenonpy._bare_network import bare_network
from sktaag.xenonpy._checker import Checker

_COLUMNS = {  # XenonPy's field: ours
    "id": "id",
    "modelset": "dataset",
    "property": "property",
    "descriptor": "descriptor",
    "method": "model",
    "meanAbsError": "mae",
    "rootMeanSquareError": "rmse",
    "r2": "r2",
    "accuracy": "accuracy",
}
_METRICS = {  # XenonPy's field: the name in `regression_metrics`; these stand on the cards alone
    "meanSquareError": "mse",
    "maxAbsError": "max_ae",
    "pearsonCorr": "pearsonr",
    "spearmanCorr": "spearmanr",
    "pValue": "p_value",
}
_FLAGS = ("isRegression", "transferred")


class MDL(BaseEstimator):
    """XenonPy's model library by its own calls, searching a `sktaag.sources.ModelLibrary` on your disk.

    XenonPy's server is offline. ``mdl(...)`` makes a query, ``query(...)`` runs it, ``mdl.pull(...)`` writes networks
    to folders that `Checker` and `Trainer.from_checker` open.

    Parameters
    ----------
    endpoint : path, ModelLibrary or None, default=None
        The library. None takes the folder that the environment variable ``SKTAAG_LIBRARY`` names.

    Raises
    ------
    ValueError
        When the library is used, if there is none.

    See Also
    --------
    sktaag.sources.ModelLibrary : The library itself, with more filters; its sources are whole chains.

    Notes
    -----
    XenonPy's model set is the card's dataset, its method the class of the model. There is no uploading here, and
    nothing of what XenonPy lists besides models.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_diabetes
    >>> from sktaag.sources import ModelLibrary, PyramidRegressor
    >>> from sktaag.xenonpy import MDL
    >>> X, y = load_diabetes(return_X_y=True)
    >>> source = PyramidRegressor(hidden=(8, 4), max_epochs=2, random_state=0).fit(X, y)
    >>> with TemporaryDirectory() as folder:
    ...     model_id = ModelLibrary(folder).add(source, property="glucose", dataset="Stable", metrics={"mae": 50})
    ...     query = MDL(folder)(modelset_has="Stable", property_has="gluc")
    ...     summary = query("modelset", "property", "meanAbsError")
    >>> summary
      modelset property  meanAbsError
    0   Stable  glucose          50.0
    """

    def __init__(self, endpoint=None):
        self.endpoint = endpoint

    def __call__(
        self,
        *query,
        modelset_has=None,
        property_has=None,
        descriptor_has=None,
        method_has=None,
        regression=None,
        transferred=None,
    ):
        """Make a query.

        Parameters
        ----------
        *query : str
            Texts that must all occur, whatever their case, in the model set, property, descriptor, method, material or
            name of a model.
        modelset_has, property_has, descriptor_has, method_has : str, list of str or None, default=None
            Parts of these names; of a list, one must occur.
        regression : bool or None, default=None
            Regression or classification models alone.
        transferred : bool or None, default=None
            Models that were trained from another one, or those that were not.

        Returns
        -------
        query : callable
            ``query("id", "property", ...)`` returns these fields as a DataFrame, best models first; ``query()`` returns
            all fields, ``query.queryable`` names them.
        """
        filters = {
            _COLUMNS[name]: [f"*{part}*" for part in ([parts] if isinstance(parts, str) else parts)]
            for name, parts in (
                ("modelset", modelset_has),
                ("property", property_has),
                ("descriptor", descriptor_has),
                ("method", method_has),
            )
            if parts is not None
        }
        if regression is not None:
            filters["task"] = "regression" if regression else "classification"
        return _Query(self._library(), query, filters, transferred)

    def pull(self, *model_ids, save_to="."):
        """Write networks to model folders as XenonPy has them.

        Only the network is in such a folder: it takes what the steps before it give, the descriptors. For whole chains,
        use `ModelLibrary.get`.

        Parameters
        ----------
        *model_ids : str, Series or DataFrame
            Ids; of a DataFrame, its column ``id``.
        save_to : path, default="."
            Folder for the folders, which are called after the property and the id.

        Returns
        -------
        models : DataFrame of shape (n_models, 2)
            With the columns id and model, the folder.

        Raises
        ------
        KeyError
            If there is no such model.
        TypeError
            If a model is no pyramid network.
        """
        ids = [model_id for value in model_ids for model_id in _ids(value)]
        if not ids:
            raise ValueError("pull needs at least one id.")
        library, folders = self._library(), []
        for model_id in ids:
            network, card = bare_network(library.get(model_id)), library.card(model_id)
            name = "".join(c if c.isalnum() else "_" for c in card["property"])
            checker = Checker(Path(save_to).resolve() / f"{name}-{model_id}")
            checker.model = network
            checker.final_state = network.state_dict()
            checker(describe=card)
            folders.append(checker.path)
        return pd.DataFrame({"id": ids, "model": folders})

    def _library(self):
        if isinstance(self.endpoint, ModelLibrary):
            return self.endpoint
        path = os.environ.get("SKTAAG_LIBRARY") if self.endpoint is None else self.endpoint
        if path is None or not Path(path).is_dir():
            raise ValueError(
                f"There is no model library {'' if path is None else f'in {path}'}. XenonPy's server is offline: build "
                "a library with sktaag.sources.ModelLibrary and name its folder, as MDL(folder) or in SKTAAG_LIBRARY."
            )
        return ModelLibrary(path)


class _Query:
    queryable = (*_COLUMNS, *_FLAGS, *_METRICS)

    def __init__(self, library, texts, filters, transferred):
        self._library = library
        self._texts = texts
        self._filters = filters
        self._transferred = transferred
        self.results = None

    def __call__(self, *fields):
        unknown = [field for field in fields if field not in self.queryable]
        if unknown:
            raise ValueError(f"There are no fields {', '.join(unknown)}; there are {', '.join(self.queryable)}.")
        models = self._library.search(**self._filters)
        searched = models[["dataset", "property", "descriptor", "model", "material", "name"]].astype(object)
        joined = searched.fillna("").agg("\n".join, axis=1).str.lower() if len(models) else pd.Series(dtype=str)
        for text in self._texts:
            kept = joined.str.contains(text.lower(), regex=False)
            models, joined = models[kept], joined[kept]
        if self._transferred is not None:
            models = models[models["parent"].notna() == self._transferred]
        fields = fields or self.queryable
        self.results = pd.DataFrame({field: self._field(models, field) for field in fields}, index=models.index)
        self.results = self.results.reset_index(drop=True)
        return self.results

    def _field(self, models, field):
        if field in _COLUMNS:
            return models[_COLUMNS[field]]
        if field in _FLAGS:
            return models["task"] == "regression" if field == "isRegression" else models["parent"].notna()
        metrics = [self._library.card(model_id)["metrics"] for model_id in models["id"]]
        return [card.get(field, card.get(_METRICS[field], float("nan"))) for card in metrics]


def _ids(value):
    if isinstance(value, pd.DataFrame):
        value = value["id"]
    return value.tolist() if isinstance(value, pd.Series) else [value]
