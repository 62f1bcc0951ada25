"""Results of a search as a table, its winner, and both in words."""

import numpy as np
from numpy.ma import MaskedArray
from scipy.stats import rankdata


def search_results(candidates, found, *, named_heads):
    """Build `cv_results_` as `GridSearchCV` has it.

    Parameters
    ----------
    candidates : list of Candidate
    found : list of tuples
        What `fold_scores` returned for each.
    named_heads : bool
        Whether the heads have names.

    Returns
    -------
    results : dict of arrays
    """
    direct = np.array([candidate.offer is None for candidate in candidates])
    unnamed = np.array([candidate.head is None for candidate in candidates])
    columns = {"head": unnamed} if named_heads else {}
    columns |= {"source": direct, "layers": direct}
    scores, fit_times, score_times = (np.array([row[part] for row in found]) for part in range(3))
    results = {}
    for name, times in (("fit_time", fit_times), ("score_time", score_times)):
        results |= {f"mean_{name}": times.mean(axis=1), f"std_{name}": times.std(axis=1)}
    for name, mask in columns.items():
        results[f"param_{name}"] = MaskedArray(objects(getattr(c, name) for c in candidates), mask)
    results["params"] = [{name: getattr(candidate, name) for name in columns} for candidate in candidates]
    results["screening_score"] = np.array([candidate.screening_score for candidate in candidates])
    results |= {f"split{i}_test_score": column for i, column in enumerate(scores.T)}
    means = scores.mean(axis=1)
    results |= {"mean_test_score": means, "std_test_score": scores.std(axis=1)}
    worst = np.min(means[np.isfinite(means)], initial=0) - 1
    # a head that failed comes last, as in GridSearchCV
    results["rank_test_score"] = rankdata(-np.where(np.isnan(means), worst, means), method="min").astype(np.int32)
    return results


def rank_candidates(candidates, results, *, one_standard_error):
    """Return the rows of the candidates, best first; of equal ones the direct model is the better."""
    order = np.argsort(results["rank_test_score"], kind="stable").tolist()  # direct models have the first rows
    direct = [i for i in order if candidates[i].offer is None]
    if direct and one_standard_error:
        gain, error = _gain(results, order[0], direct[0])
        if not gain > error:
            order.remove(direct[0])
            order.insert(0, direct[0])
    return order


def summarize(candidates, results, order, members, *, aggregate, metric, n_offers):
    """Say what won and by how much.

    Parameters
    ----------
    candidates : list of Candidate
    results : dict of arrays
        `cv_results_`.
    order : list of int
        What `rank_candidates` returned.
    members : list of int
        Rows of the candidates in the final estimator.
    aggregate : str
        How they are put together.
    metric : str
        Name of the score.
    n_offers : int
        Number of pairs of source and layers before screening.

    Returns
    -------
    text : str
    """
    best = order[0]
    direct = next((i for i in order if candidates[i].offer is None), None)
    rival = next((i for i in order[1:] if (candidates[i].offer is None) != (candidates[best].offer is None)), None)
    lines = [f"{_name(candidates[best])} wins: {metric} {_score(results, best)} in the inner cross-validation."]
    if rival is not None:
        gain, error = _gain(results, best, rival)
        label = "Best direct model" if rival == direct else "Best transfer"
        lines.append(
            f"{label}: {_name(candidates[rival])}, {_score(results, rival)}; difference {gain:.3g} with a standard "
            f"error of {error:.2g} over the folds."
        )
    if len(members) > 1:
        lines.append(f"The fitted model is the {aggregate} of the {len(members)} best, each of another source.")
    n_kept = len({id(candidate.offer) for candidate in candidates if candidate.offer is not None})
    screened = f" Screening kept {n_kept} of {n_offers}." if n_kept < n_offers else ""
    lines.append(f"Tried: {len(candidates)} candidates.{screened}")
    lines.append("The score of the best of many is optimistic; cross_val_score of the search is not.")
    return "\n".join(lines)


def objects(values):
    """Return a one-dimensional array of objects, of which some may be lists."""
    values = list(values)
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array


def _gain(results, winner, loser):
    """Mean and standard error of the difference of two candidates over the folds."""
    splits = [name for name in results if name.startswith("split") and name.endswith("_test_score")]
    differences = np.array([results[name][winner] - results[name][loser] for name in splits])
    error = differences.std(ddof=1) / np.sqrt(len(splits)) if len(splits) > 1 else np.inf
    return differences.mean(), error


def _name(candidate):
    head = f", head {candidate.head!r}" if candidate.head is not None else ""
    if candidate.offer is None:
        return f"The direct model{head}"
    return f"Source {candidate.source!r}, layers {candidate.layers!r}{head}"


def _score(results, i):
    return f"{results['mean_test_score'][i]:.3g} ± {results['std_test_score'][i]:.2g}"
