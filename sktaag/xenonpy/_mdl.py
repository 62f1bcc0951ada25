"""XenonPy.MDL over a library on one's own disk."""

import os
from pathlib import Path

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from sktaag.sources import ModelLibrary
from sktaag.xenonpy._adopted_network import adopted_network
from sktaag.xenonpy._bare_network import bare_network
from sktaag.xenonpy._checker import Checker
from sktaag.xenonpy._mdl_queries import COLUMNS, METRICS, Query, as_list, model_query, name_query

_MODELSETS = ("id", "name", "describe", "deprecated", "private", "count")
_PROPERTIES = ("name", "fullName", "symbol", "unit", "describe", "count")
_NAMES = ("name", "fullName", "describe", "count")  # of descriptors and methods
_KEPT = ("material", "license", "unit", "name", "split", "parent")  # of what `upload_model` is told


class MDL(BaseEstimator):
    """XenonPy's model library by its own calls, searching a `sktaag.sources.ModelLibrary` on your disk.

    XenonPy's server is offline. ``mdl(...)`` makes a query, ``query(...)`` runs it, ``mdl.pull(...)`` writes networks
    to folders that `Checker` and `Trainer.from_checker` open, ``mdl.upload_model(...)`` adds such a folder to the
    library.

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
    XenonPy's model set is the card's dataset, its method the class of the model. Ids are those of the library, texts.
    Of the other fields that XenonPy has, those of which the cards say nothing are None. All models here are of the
    language "python", none is deprecated or failed. Not there: ``create_...`` and ``update_...``, for cards are written
    when a model is added; ``get_supplementary``, for predictions are not kept; ``api_key``.

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
        lang_has=None,
        regression=None,
        transferred=None,
        deprecated=None,
        succeed=None,
    ):
        """Make a query.

        Parameters
        ----------
        *query : str
            Texts that must all occur, whatever their case, in the model set, property, descriptor, method, material or
            name of a model.
        modelset_has, property_has, descriptor_has, method_has, lang_has : str, list of str or None, default=None
            Parts of these names; of a list, one must occur.
        regression : bool or None, default=None
            Regression or classification models alone.
        transferred : bool or None, default=None
            Models that were trained from another one, or those that were not.
        deprecated, succeed : bool or None, default=None
            No model here is deprecated, and all have succeeded.

        Returns
        -------
        query : callable
            ``query("id", "property", ...)`` returns these fields as a DataFrame, best models first; ``query()`` returns
            all fields, ``query.queryable`` names them.
        """
        parts = {"modelset": modelset_has, "property": property_has, "descriptor": descriptor_has, "method": method_has}
        filters = {
            COLUMNS[name]: [f"*{part}*" for part in as_list(texts)]
            for name, texts in parts.items()
            if texts is not None
        }
        if regression is not None:
            filters["task"] = "regression" if regression else "classification"
        same = {"lang": lang_has, "deprecated": deprecated, "succeed": succeed}
        same = {name: asked for name, asked in same.items() if asked is not None}
        return model_query(self._library(), query, filters, transferred, same)

    def list_models_with_property(self, name):
        """Make a query of the models of a property, by its whole name."""
        return model_query(self._library(), filters={"property": name})

    def list_models_with_modelset(self, name):
        """Make a query of the models of a model set, by its whole name."""
        return model_query(self._library(), filters={"dataset": name})

    def list_models_with_descriptor(self, name):
        """Make a query of the models of a descriptor, by its whole name."""
        return model_query(self._library(), filters={"descriptor": name})

    def list_models_with_method(self, name):
        """Make a query of the models of a method, by its whole name."""
        return model_query(self._library(), filters={"model": name})

    def get_model_detail(self, model_id):
        """Make a query of one model."""
        return self.get_model_details([model_id])

    def get_model_details(self, model_ids):
        """Make a query of some models, by their ids."""
        return model_query(self._library(), filters={"id": _ids(model_ids)})

    def list_modelsets(self):
        """Make a query of all model sets."""
        return self.query_modelsets()

    def query_modelsets(self, query=None, *, name_has=None):
        """Make a query of model sets, by a part of their name."""
        return name_query(self._library(), "dataset", _MODELSETS, as_list(query) + as_list(name_has))

    def get_modelset_detail(self, modelset_id):
        """Make a query of one model set, by its name."""
        return name_query(self._library(), "dataset", _MODELSETS, name=modelset_id)

    def list_properties(self):
        """Make a query of all properties."""
        return self.query_properties()

    def query_properties(self, query=None, *, name_has=None):
        """Make a query of properties, by a part of their name."""
        return name_query(self._library(), "property", _PROPERTIES, as_list(query) + as_list(name_has))

    def get_property_detail(self, name):
        """Make a query of one property, by its name."""
        return name_query(self._library(), "property", _PROPERTIES, name=name)

    def list_descriptors(self):
        """Make a query of all descriptors."""
        return self.query_descriptors()

    def query_descriptors(self, query=None, *, name_has=None):
        """Make a query of descriptors, by a part of their name."""
        return name_query(self._library(), "descriptor", _NAMES, as_list(query) + as_list(name_has))

    def get_descriptor_detail(self, name):
        """Make a query of one descriptor, by its name."""
        return name_query(self._library(), "descriptor", _NAMES, name=name)

    def list_methods(self):
        """Make a query of all methods."""
        return self.query_methods()

    def query_methods(self, query=None, *, name_has=None):
        """Make a query of methods, by a part of their name."""
        return name_query(self._library(), "model", _NAMES, as_list(query) + as_list(name_has))

    def get_method_detail(self, name):
        """Make a query of one method, by its name."""
        return name_query(self._library(), "model", _NAMES, name=name)

    def get_training_info(self, model_id):
        """Make a query, without fields, of the losses of the training: a DataFrame with one row for each epoch."""

        def run(fields):
            source = self._library().get(model_id)
            network = source[-1] if isinstance(source, Pipeline) else source
            return pd.DataFrame(getattr(network, "history_", []))

        return Query((), run)

    def get_training_env(self, model_id):
        """Make a query, without fields, of the versions of the libraries at the training: a dict."""
        return Query((), lambda fields: self._library().card(model_id)["versions"])

    def get_model_urls(self, *model_ids):
        """Make a query of where models are: ``url`` is what `sktaag.sources.load_source` takes."""
        ids = [model_id for value in model_ids for model_id in _ids(value)]

        def run(fields):
            library = self._library()
            missing = [model_id for model_id in ids if model_id not in library]
            if missing:
                raise KeyError(f"{library.path} has no model {', '.join(missing)}.")
            rows = pd.DataFrame({"id": ids, "etag": ids, "url": [f"{library.path}#{model_id}" for model_id in ids]})
            return rows[list(fields)]

        return Query(("id", "etag", "url"), run)

    def upload_model(self, *, modelset_id, describe):
        """Make a call that adds a model folder of XenonPy's to the library.

        Parameters
        ----------
        modelset_id : str
            Name of the model set.
        describe : dict
            At least ``property``; also ``descriptor``, ``material``, ``license``, ``unit``, ``name``, ``split``,
            ``parent`` and metrics on held-out data by XenonPy's names (``meanAbsError``, ``r2``, ...).

        Returns
        -------
        upload : callable
            ``upload(file=folder)`` adds the network in the folder, which `Checker` reads without running code, and
            returns a DataFrame with its id. The network must be a `SequentialLinear` with one output. What stands
            before it, the descriptor, is not in such a folder: only its name is kept.

        Raises
        ------
        ValueError
            In the call, if a key of `describe` is not known or the network cannot be kept.
        """
        names = {field: ours for field, ours in COLUMNS.items() if ours in ("mae", "rmse", "r2", "accuracy")} | METRICS
        known = ("property", "descriptor", *_KEPT, *names)
        unknown = [key for key in describe if key not in known]
        if unknown:
            raise ValueError(f"describe has {', '.join(unknown)}; it may have {', '.join(known)}.")
        metrics = {names[key]: value for key, value in describe.items() if key in names}
        texts = {key: value for key, value in describe.items() if key not in names}

        def upload(*, file):
            model = Checker(file).model
            if model is None:
                raise ValueError(f"{file} has no network; give a folder that XenonPy or Persist wrote.")
            source = adopted_network(model)
            model_id = self._library().add(source, dataset=modelset_id, metrics=metrics, **{"property": ""} | texts)
            return pd.DataFrame({"id": [model_id]})

        return upload

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


def _ids(value):
    if isinstance(value, pd.DataFrame):
        value = value["id"]
    return [value] if isinstance(value, str) else list(value)
