"""Results of a search as a table and in words."""

import numpy as np
from numpy.ma import MaskedArray
from scipy.stats import rankdata

from sktaag.transfer._contest import corrected_error

_NAMES = {
    "direct": "the direct model",
    "best": "the best single source",
    "average": "the average",
    "stack": "the stack",
    "concat": "the sources side by side",
    "descriptors": "the best source next to the descriptors",
}


def search_results(candidates, found, aggregates, *, named_heads):
    """Build `cv_results_` as `GridSearchCV` has it.

    Parameters
    ----------
    candidates : list of Candidate
    found : list of tuples
        What `fold_scores` returned for each.
    aggregates : dict of ndarray
        Scores of the aggregates on each fold; they have the last rows.
    named_heads : bool
        Whether the heads have names.

    Returns
    -------
    results : dict of arrays
    """
    no_times = [np.full(len(scores), np.nan) for scores in aggregates.values()]
    scores = np.array([row[0] for row in found] + list(aggregates.values()))
    fit_times, score_times = (np.array([row[part] for row in found] + no_times) for part in (1, 2))
    params = [
        {name: getattr(candidate, name) for name in (["head"] if named_heads else []) + ["source", "layers"]}
        for candidate in candidates
    ]
    params += [{"aggregate": name} for name in aggregates]
    results = {}
    for name, times in (("fit_time", fit_times), ("score_time", score_times)):
        results |= {f"mean_{name}": times.mean(axis=1), f"std_{name}": times.std(axis=1)}
    for name in list(params[0]) + (["aggregate"] if aggregates else []):
        values = [row.get(name) for row in params]
        masked = [candidate.is_direct and name != "head" for candidate in candidates] + [True] * len(aggregates)
        masked = [name == "aggregate" or masked[i] for i in range(len(candidates))] if name == "aggregate" else masked
        results[f"param_{name}"] = MaskedArray(objects(values), [value is None for value in values])
    results["params"] = params
    results["screening_score"] = np.array([c.screening_score for c in candidates] + [np.nan] * len(aggregates))
    results |= {f"split{i}_test_score": column for i, column in enumerate(scores.T)}
    means = scores.mean(axis=1)
    results |= {"mean_test_score": means, "std_test_score": scores.std(axis=1)}
    worst = np.min(means[np.isfinite(means)], initial=0) - 1
    # a head that failed comes last, as in GridSearchCV
    results["rank_test_score"] = rankdata(-np.where(np.isnan(means), worst, means), method="min").astype(np.int32)
    return results


def contest_results(scores, splits):
    """Build `contest_`.

    Parameters
    ----------
    scores : dict of ndarray
        Scores of each strategy on each fold.
    splits : list of (ndarray, ndarray)

    Returns
    -------
    results : dict of arrays
    """
    table = np.array(list(scores.values()))
    results = {"strategy": objects(scores), "mean_test_score": table.mean(axis=1), "std_test_score": table.std(axis=1)}
    if "direct" in scores:
        gains = table - scores["direct"]
        results |= {
            "gain": gains.mean(axis=1),
            "error_of_gain": np.array([corrected_error(gain, splits) for gain in gains]),
        }
    return results | {f"split{i}_test_score": column for i, column in enumerate(table.T)}


def pick_winner(contest, *, one_standard_error):
    """Return the name of the strategy that wins; of equal ones the simpler one."""
    means = np.nan_to_num(contest["mean_test_score"], nan=-np.inf)
    best = int(np.argmax(means))  # the first one of equal ones
    if one_standard_error and "gain" in contest and not contest["gain"][best] > contest["error_of_gain"][best]:
        best = 0
    return contest["strategy"][best]


def summarize(candidates, contest, winner, members, *, metric, n_offers, labels):
    """Say what won and by how much.

    Parameters
    ----------
    candidates : list of Candidate
    contest : dict of arrays
        What `contest_results` returned.
    winner : str
        Strategy that won.
    members : dict of lists of int
        Rows of the candidates of each strategy.
    metric : str
        Name of the score.
    n_offers : int
        Number of pairs of source and layers before screening.
    labels : dict of str
        What sources predict, by their name, where that is known.

    Returns
    -------
    text : str
    """
    lines = []
    for i, strategy in enumerate(contest["strategy"]):
        name = _NAMES[strategy]
        if strategy in ("average", "stack", "concat"):
            name += f" of {len(members[strategy])} candidates"
        else:
            name += _name(candidates[members[strategy][0]], labels)
        text = f"{contest['mean_test_score'][i]:.3g} ± {contest['std_test_score'][i]:.2g}"
        if np.isnan(contest["mean_test_score"][i]):
            text = "no score, for it failed on some folds"
        if strategy != "direct" and np.isfinite(contest.get("gain", np.full(i + 1, np.nan))[i]):
            gain, error = contest["gain"][i], contest["error_of_gain"][i]
            better = f"{abs(gain):.3g} {'better' if gain > 0 else 'worse'} than" if gain else "as good as"
            text += f", which is {better} the direct model (standard error {error:.2g})"
        if strategy == winner:
            lines.insert(0, f"{name[0].upper()}{name[1:]} wins: {metric} {text}.")
        else:
            lines.append(f"{name[0].upper()}{name[1:]}: {text}.")
    n_kept = len({id(candidate.offer) for candidate in candidates if not candidate.is_direct})
    screened = f" Screening kept {n_kept} of {n_offers}." if n_kept < n_offers else ""
    lines.append(f"Tried: {len(candidates)} candidates.{screened}")
    lines.append("These scores are a little optimistic; cross_val_score of the search is not.")
    return "\n".join(lines)


def objects(values):
    """Return a one-dimensional array of objects, of which some may be lists."""
    values = list(values)
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array


def _name(candidate, labels):
    head = [f"head {candidate.head!r}"] if candidate.head is not None else []
    label = [labels[candidate.source]] if candidate.source in labels else []
    source = [] if candidate.is_direct else [f"source {candidate.source!r}", *label, f"layers {candidate.layers!r}"]
    described = ", ".join(source + head)
    return f" ({described})" if described else ""
