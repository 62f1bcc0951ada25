"""Tables and sentences of a comparison."""

import numpy as np
import pandas as pd

from sktaag.model_selection._intervals import corrected_t


def fit_table(jobs, found, signs):
    """Return scores and times of all fits, one row each, in natural units; see `Comparison.scores`."""
    return pd.DataFrame(
        [
            {"model": name, "fold": fold, "n_train": len(train), "n_test": len(test)}
            | {metric: sign * fit["scores"][metric] for metric, sign in signs.items()}
            | {"fit_time": fit["fit_time"], "score_time": fit["score_time"]}
            for (name, fold, train, test, _), fit in zip(jobs, found, strict=True)
        ]
    )


def curve_table(fits, metrics):
    """Return the metrics over the number of training rows; see `Comparison.learning_curve`."""
    columns = ["model", "n_train", "fold"]
    return fits[[*columns, *metrics]].sort_values(columns, kind="stable", ignore_index=True)


def prediction_table(responses, rows, y, folds):
    """Return out-of-fold predictions, one row each; see `Comparison.predictions`."""
    parts = []
    for name, of_folds in responses.items():
        for fold, ((_, test), found) in enumerate(zip(folds, of_folds, strict=True)):
            predicted = found["predict"]
            frame = pd.DataFrame({"model": name, "fold": fold, "row": rows[test]})
            if y.ndim == 1:
                frame["y_true"], frame["y_pred"] = y[test], predicted.reshape(len(test))
                if "predict_proba" in found:
                    frame[[f"proba_{label}" for label in found["classes"]]] = found["predict_proba"]
                parts.append(frame)
            else:
                parts += [
                    frame.assign(target=target, y_true=y[test, target], y_pred=predicted[:, target])
                    for target in range(y.shape[1])
                ]
    return pd.concat(parts, ignore_index=True)


def score_table(scores, metrics, lower_is_better, baseline, confidence, draws):
    """Return mean, difference and verdict of each model and metric; see `Comparison.table`."""
    by_model = dict(tuple(scores.groupby("model", sort=False)))
    share = float((by_model[baseline]["n_test"] / by_model[baseline]["n_train"]).mean())
    quantiles = [50 * (1 - confidence), 50 * (1 + confidence)]
    rows = []
    for name, own in by_model.items():
        for j, metric in enumerate(metrics):
            sign = -1 if lower_is_better[metric] else 1
            values, base = own[metric].to_numpy(float), by_model[baseline][metric].to_numpy(float)
            difference = values - base
            if draws is None:
                mean, low, high, _ = corrected_t(values, share, confidence)
                shift, shift_low, shift_high, above = corrected_t(difference, share, confidence)
                wins = above if sign == 1 else 1 - above
            else:
                mean, shift = draws[name][0, j], draws[name][0, j] - draws[baseline][0, j]
                low, high = np.nanpercentile(draws[name][1:, j], quantiles)
                shifts = draws[name][1:, j] - draws[baseline][1:, j]
                shift_low, shift_high = np.nanpercentile(shifts, quantiles)
                wins = float(np.nanmean((sign * shifts > 0) + 0.5 * (shifts == 0)))
            paired = sign * difference[np.isfinite(difference)]
            rows.append(
                {
                    "model": name,
                    "metric": metric,
                    "mean": mean,
                    "low": low,
                    "high": high,
                    "difference": shift,
                    "difference_low": shift_low,
                    "difference_high": shift_high,
                    "win_share": float(np.mean((paired > 0) + 0.5 * (paired == 0))) if len(paired) else np.nan,
                    "win_probability": np.nan if name == baseline else wins,
                    "verdict": "baseline" if name == baseline else _verdict(shift_low, shift_high, sign),
                }
            )
    return pd.DataFrame(rows)


def _verdict(low, high, sign):
    if np.isnan(low):
        return "no interval"
    low, high = sorted((sign * low, sign * high))
    return "better" if low > 0 else "worse" if high < 0 else "no certain difference"


def sentences_about(table, metric, lower_is_better, baseline, confidence, target_name):
    """Say for each model whether it is better than the baseline; return the sentences and the flags."""
    rows = table[table["metric"] == metric].set_index("model", drop=False)
    sentences, negative = {}, {}
    for name in rows.index.drop(baseline):
        row = rows.loc[name]
        change = describe_change(row, rows.loc[baseline], lower_is_better[metric])
        change = change.replace("(", f"({confidence:.0%} interval ")
        negative[name] = row["verdict"] == "worse"
        words, ending = {
            "better": ("is better than", ""),
            "worse": ("is worse than", f" Negative transfer, if {name} has a source: take {baseline}."),
            "no certain difference": ("makes no certain difference to", ""),
            "no interval": ("cannot be told from", " One fold gives no interval: repeat it, or use the bootstrap."),
        }[row["verdict"]]
        sentence = f"{name} {words} {baseline}: {metric} changes by {change}.{ending}"
        sentences[name] = f"For {target_name}, {sentence}" if target_name else sentence
    return sentences, negative


def describe_change(row, base, lower_is_better):
    """Write a difference with its interval: in percent for errors, as it is for scores."""
    values = np.array([row["difference"], row["difference_low"], row["difference_high"]])
    if lower_is_better and base["mean"] > 0:
        mean, low, high = (f"{value:+.0%}" for value in values / base["mean"])
    else:
        mean, low, high = (f"{value:+.3g}" for value in values)
    return mean if np.isnan(values[1]) else f"{mean} ({low} to {high})"
