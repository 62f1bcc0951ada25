"""Thousands of source models in a folder."""

import reprlib
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sktaag.sources._library_blocks import Packer, block_id, read_meta, unpack
from sktaag.sources._library_cards import describe_data, make_card
from sktaag.sources._library_exchange import LibraryExchangeMixin, list_ids
from sktaag.sources._library_index import Index, make_row
from sktaag.sources._library_shards import (
    Shard,
    ShardWriter,
    cards_path,
    delete_shard,
    read_steps,
    shard_path,
    steps_path,
)
from sktaag.sources._library_upkeep import find_problems, move_models, repair_library, sweep
from sktaag.sources._parts import find_networks, load_steps
from sktaag.sources._shotgun_ensemble import ShotgunEnsemble

_KEPT_STEPS = 16  # loaded steps that wait for the next model with the same ones
_PER_SOURCE = (list, np.ndarray, pd.Series)
_USED = "SELECT 1 FROM models WHERE steps = ? LIMIT 1"


class ModelLibrary(LibraryExchangeMixin):
    """Fitted sources in a folder, with a card each: added, searched, handed on.

    The folder holds `shards/` (safetensors files with hundreds of models each, memory-mapped), `steps/` (what stands
    before the networks, as skops keeps scikit-learn's estimators, once for each content), `cards/` (the cards as lines
    of JSON, to be read by people) and `index.sqlite`, which can be built anew from the shards. Reading runs no code,
    and all that is read is checked against its SHA-256. Several processes may read and add at the same time; what is
    added is there as a whole or not at all.

    The id of a model is the beginning of the SHA-256 of its weights and card: the same source with the same card is
    one model, however often it is added; another card makes another model.

    Parameters
    ----------
    path : path
        The folder. It is made when the first model is added.

    See Also
    --------
    save_source : One source in one file.
    load_source : Takes ``"folder#id"`` as well.

    References
    ----------
    H. Yamada et al., "Predicting Materials Properties with Little Data Using Shotgun Transfer Learning",
    ACS Cent. Sci. 5, 1717 (2019). :doi:`10.1021/acscentsci.9b00804`; its library of 140,000 models, XenonPy.MDL, is
    the model of this one.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_diabetes
    >>> from sktaag.sources import ModelLibrary, PyramidRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> source = PyramidRegressor(hidden=(8, 4), max_epochs=2, random_state=0).fit(X[:400], y[:400])
    >>> r2 = source.score(X[400:], y[400:])
    >>> with TemporaryDirectory() as folder:
    ...     library = ModelLibrary(folder)
    ...     model_id = library.add(source, property="progression", material="patient", metrics={"r2": r2})
    ...     found = library.search(property="progression", max_r2=0.9)
    ...     again = library.get(model_id)
    >>> found[["property", "material", "hidden"]]
          property material hidden
    0  progression  patient    8-4
    >>> bool((again.predict(X) == source.predict(X)).all())
    True
    """

    def __init__(self, path):
        self.path = Path(path).expanduser()
        self._index = Index(self.path / "index.sqlite")
        self._steps = OrderedDict()

    def add(
        self,
        source,
        *,
        property,
        material=None,
        descriptor=None,
        dataset=None,
        license=None,
        unit=None,
        metrics=None,
        split=None,
        data=None,
        wall_time=None,
        parent=None,
        name=None,
    ):
        """Keep a fitted source.

        What the source knows goes on the card by itself: its steps with their parameters, hidden layers, epochs, the
        score on its inner validation rows (which is optimistic), versions of the libraries.

        Parameters
        ----------
        source : fitted estimator
            A chain that ends in a network, or any fitted estimator of scikit-learn; only networks can be frozen.
        property : str
            What it predicts.
        material : str or None, default=None
            Kind of material, such as "polymer".
        descriptor : str or None, default=None
            Short name of the descriptor. None: the names of the steps before the last.
        dataset : str or None, default=None
            What it was trained on.
        license : str or None, default=None
            Of the data.
        unit : str or None, default=None
            Of the prediction.
        metrics : dict of str to float or None, default=None
            On held-out data. `search` knows r2, mae, rmse and accuracy.
        split : str or None, default=None
            How these data were held out.
        data : tuple (X, y) or None, default=None
            The training data; the card keeps their SHA-256 and the number of rows.
        wall_time : float or None, default=None
            Seconds of training. None: the sum over the epochs.
        parent : str or None, default=None
            Id of the model that this one was trained from.
        name : str or None, default=None
            Any name, not necessarily unique.

        Returns
        -------
        id : str
            16 hexadecimal digits.

        Raises
        ------
        NotFittedError
            If the source is not fitted.
        TypeError
            If a step cannot be kept without pickle, or a field is of a wrong type.
        ValueError
            If `property` is empty or a metric is not finite.
        """
        fields = locals()
        del fields["self"], fields["source"]
        return self.add_many([source], **fields)[0]

    def add_many(self, sources, **fields):
        """Keep many sources in one transaction: all of them or none. Other writers wait meanwhile.

        Parameters
        ----------
        sources : iterable of fitted estimators
            Taken one by one, so that a generator may load them.
        **fields : dict
            As in `add`. A list, array or Series has one value for each source; anything else holds for all.

        Returns
        -------
        ids : list of str
            In the order of `sources`; equal ones have the same id.
        """
        several = {key: list(value) for key, value in fields.items() if isinstance(value, _PER_SOURCE)}
        common = {key: value for key, value in fields.items() if key not in several}
        if "data" in several:
            several["training_data"] = [describe_data(data) for data in several.pop("data")]
        else:
            common["training_data"] = describe_data(common.pop("data", None))

        def models():
            packer, n_sources = Packer(), 0
            for n_sources, source in enumerate(sources, 1):
                check_is_fitted(source)
                if any(isinstance(network, ShotgunEnsemble) for _, network in find_networks(source)):
                    raise TypeError("A library keeps the networks of an ensemble one by one: use add_ensemble.")
                for key, values in several.items():
                    if len(values) < n_sources:
                        raise ValueError(f"{key} has {len(values)} values, but there are more sources.")
                own = {key: values[n_sources - 1] for key, values in several.items()}
                card = make_card(source, **common, **own)
                block, steps = packer.pack(source, card)
                yield block_id(block)[0], block, {"card": card}, steps
            for key, values in several.items():
                if len(values) > n_sources:
                    raise ValueError(f"{key} has {len(values)} values for {n_sources} sources.")

        return self._store(models())

    def add_ensemble(self, ensemble, *, property=None, **fields):
        """Keep every network of an ensemble in one transaction, but for those whose training diverged.

        Parameters
        ----------
        ensemble : fitted PyramidEnsemble or sequence of sources, or Pipeline that ends in one
            ``len(ensemble)`` and ``ensemble[k]`` give its members; with a Pipeline, each is kept with the steps before.
        property : str, list of str or None, default=None
            What each member predicts. None takes the names that y had in the `fit` of a `PyramidEnsemble`.
        **fields : dict
            As in `add_many`, a list having one value for each member. `name` is "member k" if it is not given.

        Returns
        -------
        ids : list of str
            In the order of the members.
        """
        steps, ensemble = (ensemble.steps, ensemble[-1]) if isinstance(ensemble, Pipeline) else (None, ensemble)
        if not hasattr(ensemble, "__len__"):
            raise TypeError(f"{type(ensemble).__name__} is no ensemble or sequence of sources. add keeps a single one.")
        members = list(range(len(ensemble)))
        fields = {"name": [f"member {k}" for k in members], "property": property} | fields
        if isinstance(ensemble, ShotgunEnsemble):
            if property is None:
                fields["property"] = ensemble.members_["property"].tolist()
                if not all(isinstance(name, str) for name in fields["property"]):
                    raise ValueError(
                        "The y that the ensemble was fitted on had no names. Say what the networks predict, as in "
                        "property='density', or by a list with one for each network."
                    )
            members = np.flatnonzero(ensemble.members_["best_epoch"] > 0).tolist()
        for key, values in fields.items():
            if isinstance(values, _PER_SOURCE):
                if len(values) != len(ensemble):
                    raise ValueError(f"{key} has {len(values)} values for {len(ensemble)} members.")
                fields[key] = [list(values)[k] for k in members]

        def member(k):
            return ensemble[k] if steps is None else Pipeline([*steps[:-1], (steps[-1][0], ensemble[k])])

        return self.add_many(map(member, members), **fields)

    def search(self, *, limit=None, **filters):
        """Find models by their cards, best first: by r2 on held-out data, then by the inner validation score.

        Parameters
        ----------
        limit : int or None, default=None
            Most rows to return.
        **filters : dict
            All must hold. ``property``, ``material``, ``name``, ``unit``, ``descriptor``, ``dataset``, ``license``,
            ``task``, ``model``, ``hidden``, ``parent``, ``id``: the whole text, whatever its case; ``*`` and ``?``
            are wildcards; a list means any of these, None that there is nothing. ``min_`` and ``max_`` before
            ``r2``, ``mae``, ``rmse``, ``accuracy``, ``validation_score``, ``n_train``, ``n_features``, ``wall_time``,
            ``size``: bounds that are allowed themselves; models without a value are left out.

        Returns
        -------
        models : pandas.DataFrame of shape (n_models, n_columns)
            Columns are the names above, size (in bytes), created, and source: what `load_source` takes.

        Raises
        ------
        TypeError
            If there is no such filter; the message lists them.
        """
        models = self._index.search(filters, limit)
        models["source"] = [f"{self.path}#{model_id}" for model_id in models["id"]]
        return models

    def get(self, id, *, trusted=()):
        """Load a source.

        Parameters
        ----------
        id : str
            As `add` and `search` return it.
        trusted : sequence of str, default=()
            Full names of classes, besides those of scikit-learn, numpy, scipy and sktaag, that it may be made of.

        Returns
        -------
        source : fitted estimator
            Its networks are on the CPU.

        Raises
        ------
        KeyError
            If there is no such model.
        ValueError
            If a file is damaged, its card is of a newer format, or a class is not trusted.
        """
        block, (shard, _, steps, _) = self._read(id)
        if steps not in self._steps:
            content = read_steps(self.path, steps)
            self._steps[steps] = load_steps(content, steps_path(self.path, steps), trusted)
            if len(self._steps) > _KEPT_STEPS:
                self._steps.popitem(last=False)
        return unpack(block, self._steps[steps], f"Model {id!r} in {shard_path(self.path, shard)}")

    def card(self, id):
        """Read what is known about a model.

        Parameters
        ----------
        id : str

        Returns
        -------
        card : dict
            In JSON's types.

        Raises
        ------
        KeyError
            If there is no such model.
        ValueError
            If its shard is damaged or its card is of a newer format.
        """
        block, (shard, *_, created) = self._read(id)
        card = read_meta(block, f"Model {id!r} in {shard_path(self.path, shard)}")["card"]
        return {"id": id, **card, "created": created}

    def remove(self, ids):
        """Remove models, and their bytes from the disk.

        Parameters
        ----------
        ids : str, sequence of str or DataFrame
            A DataFrame is what `search` returns.

        Raises
        ------
        KeyError
            If one of them is not there; then none is removed.
        """
        ids = set(list_ids(ids))
        self._locate(ids)
        with self._index.transaction() as db:
            sweep(self.path, db)
            found = self._locate(ids, db)
            shards = {shard for shard, *_ in found.values()}
            writer = ShardWriter(self.path)
            try:
                emptied = [shard for shard in shards if move_models(self.path, db, shard, ids, writer)]
                db.executemany("DELETE FROM models WHERE id = ?", [(model_id,) for model_id in ids])
                unused = {steps for _, _, steps, _ in found.values()}
                unused -= {steps for steps in unused if db.execute(_USED, [steps]).fetchone()}
                leaving = [path(self.path, shard) for shard in emptied for path in (shard_path, cards_path)]
                writer.publish(leaving + [steps_path(self.path, steps) for steps in unused])
                db.execute("COMMIT")
            except BaseException:
                writer.discard()
                raise
            for shard in emptied:
                delete_shard(self.path, shard)
            for steps in unused:
                steps_path(self.path, steps).unlink(missing_ok=True)
            writer.close()

    def verify(self, *, repair=False):
        """Read everything and check it.

        Parameters
        ----------
        repair : bool, default=False
            Build a lost or damaged index anew from the shards and forget models that cannot be read. Files that no
            model needs get the ending ".aside"; only temporary ones are deleted.

        Returns
        -------
        problems : pandas.DataFrame with the columns file, id, problem, remedy
            What was found, before any repair. Empty if all is well.
        """
        problems = find_problems(self.path, self._index)
        if repair and problems:
            repair_library(self.path, self._index, problems)
            self._steps.clear()
        return pd.DataFrame(problems, columns=["file", "id", "problem", "remedy"])

    def __len__(self):
        return self._index.count()

    def __contains__(self, id):
        return isinstance(id, str) and id in self._index.find([id])

    def __repr__(self):
        n_models, n_properties = len(self), self._index.count("DISTINCT property")
        return f"ModelLibrary({str(self.path)!r}): {n_models:,} models, {n_properties:,} properties"

    def __getstate__(self):
        return vars(self) | {"_steps": OrderedDict()}  # they are read again where they are needed

    def _read(self, model_id):
        """Bytes of a model, checked, and its place in the index."""
        where = self._locate([model_id])[model_id]
        try:
            return Shard(shard_path(self.path, where[0])).read(model_id, where[1]), where
        except ValueError:
            now = self._locate([model_id])[model_id]
            if now == where:
                raise
        # another process has moved it meanwhile, by removing a neighbour
        return Shard(shard_path(self.path, now[0])).read(model_id, now[1]), now

    def _locate(self, ids, db=None):
        if wrong := [model_id for model_id in ids if not isinstance(model_id, str)]:
            raise TypeError(
                f"The id of a model is a string, as add and search return it; got {reprlib.repr(wrong[0])}."
            )
        found = self._index.find(list(ids), db)
        missing = [model_id for model_id in ids if model_id not in found]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise KeyError(
                f"{self.path} has no model {', '.join(map(repr, missing[:5]))}{more}. search() lists what it has."
            )
        return found

    def _store(self, models):
        """Add models, given as `read_folder` yields them; all or none."""
        self._prepare()
        created = datetime.now(UTC).isoformat(timespec="seconds")
        with self._index.transaction() as db:
            sweep(self.path, db)
            writer, ids, rows = ShardWriter(self.path), [], {}
            try:
                for model_id, block, meta, (digest, steps) in models:
                    ids.append(model_id)
                    if model_id in rows or self._index.find([model_id], db):
                        continue
                    writer.add_steps(digest, steps)
                    shard = writer.add(model_id, block, meta["card"])
                    where = {"size": len(block), "created": created, "shard": shard, "steps": digest}
                    rows[model_id] = make_row(model_id, meta["card"], sha256=block_id(block)[1], **where)
                writer.publish()
                self._index.insert(db, rows.values())  # last, for a long write keeps readers out
                db.execute("COMMIT")
            except BaseException:
                writer.discard()
                raise
            writer.close()
        return ids

    def _prepare(self):
        if not self._index.exists():
            self.path.mkdir(parents=True, exist_ok=True)
            self._index.create()
