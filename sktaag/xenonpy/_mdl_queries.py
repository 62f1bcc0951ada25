"""Queries of XenonPy.MDL: made first, run by a call with the fields that are wanted."""

import pandas as pd

COLUMNS = {  # XenonPy's field: ours
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
METRICS = {  # XenonPy's field: the name in `regression_metrics`; these stand on the cards alone
    "meanSquareError": "mse",
    "maxAbsError": "max_ae",
    "pearsonCorr": "pearsonr",
    "spearmanCorr": "spearmanr",
    "pValue": "p_value",
}
SAME_FOR_ALL = {"succeed": True, "deprecated": False, "lang": "python"}
_FLAGS = ("isRegression", "transferred")


class Query:
    """A query that has not run yet.

    Parameters
    ----------
    queryable : tuple of str
        The fields that it knows.
    run : callable
        From fields to a DataFrame.
    """

    def __init__(self, queryable, run):
        self.queryable = queryable
        self.results = None
        self._run = run

    def __call__(self, *fields):
        """Run the query.

        Parameters
        ----------
        *fields : str
            None takes all.

        Returns
        -------
        results : DataFrame with these columns
        """
        unknown = [field for field in fields if field not in self.queryable]
        if unknown:
            raise ValueError(f"There are no fields {', '.join(unknown)}; there are {', '.join(self.queryable)}.")
        self.results = self._run(fields or self.queryable)
        return self.results

    def __repr__(self):
        return f"{type(self).__name__}, queryable: {', '.join(self.queryable)}"


def model_query(library, texts=(), filters=None, transferred=None, same=None):
    """Query models.

    Parameters
    ----------
    library : ModelLibrary
    texts : sequence of str
        They must all occur.
    filters : dict or None
        For `ModelLibrary.search`.
    transferred : bool or None
        Whether the models have a parent.
    same : dict or None
        What is asked of the fields in which all models here are the same.
    """

    def run(fields):
        models = library.search(**(filters or {}))
        searched = models[["dataset", "property", "descriptor", "model", "material", "name"]].astype(object)
        joined = searched.fillna("").agg("\n".join, axis=1).str.lower() if len(models) else pd.Series(dtype=str)
        for text in texts:
            kept = joined.str.contains(text.lower(), regex=False)
            models, joined = models[kept], joined[kept]
        if transferred is not None:
            models = models[models["parent"].notna() == transferred]
        if not all(_holds(name, asked) for name, asked in (same or {}).items()):
            models = models[:0]
        found = pd.DataFrame({field: _field(library, models, field) for field in fields}, index=models.index)
        return found.reset_index(drop=True)

    return Query((*COLUMNS, *_FLAGS, *METRICS, *SAME_FOR_ALL), run)


def name_query(library, column, queryable, texts=(), name=None):
    """Query the different values of a column of the cards, with the number of models of each.

    Parameters
    ----------
    library : ModelLibrary
    column : str
    queryable : tuple of str
        Fields; those of which the cards say nothing are None.
    texts : sequence of str
        One of them must occur in the name; none for all.
    name : str or None
        The whole name.
    """

    def run(fields):
        models = library.search()
        models = models[models[column].notna()]
        rows = []
        for value, group in models.groupby(column):
            if (name is not None and value != name) or (texts and not any(t.lower() in value.lower() for t in texts)):
                continue
            units = group["unit"].dropna().unique()
            known = {"id": value, "name": value, "count": len(group), "deprecated": False, "private": True}
            known["unit"] = units[0] if len(units) == 1 else None
            rows.append([known.get(field) for field in fields])
        if name is not None and not rows:
            raise KeyError(f"No model has {column} {name!r}; list_... names what there is.")
        return pd.DataFrame(rows, columns=list(fields))

    return Query(queryable, run)


def as_list(texts):
    """Return one text or several as a list; none for None."""
    return [] if texts is None else [texts] if isinstance(texts, str) else list(texts)


def _holds(name, asked):
    if name == "lang":
        return any(part.lower() in SAME_FOR_ALL[name] for part in as_list(asked))
    return SAME_FOR_ALL[name] == asked


def _field(library, models, field):
    if field in COLUMNS:
        return models[COLUMNS[field]]
    if field in SAME_FOR_ALL:
        return SAME_FOR_ALL[field]
    if field in _FLAGS:
        return models["task"] == "regression" if field == "isRegression" else models["parent"].notna()
    metrics = [library.card(model_id)["metrics"] for model_id in models["id"]]
    return [card.get(field, card.get(METRICS[field], float("nan"))) for card in metrics]
