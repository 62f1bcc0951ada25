"""What the contest of `SourceSearchCV` is worth: test errors of what it picks, relative to the direct model.

OMP_NUM_THREADS=1 python benchmarks/search_contest.py --folder search --output benchmarks/results/search_contest.md

Sources, targets and the folder are those of source_search.py; the head is a ridge regression on standardised features.
"Best inner score" picks among the direct model and all sources by the mean inner score, as GridSearchCV would. The
other rows are searches, each with the aggregates that it names. What is in the folder is not done again. No setting
was chosen by these errors.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from _timing import machine, write_json
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from source_search import TARGETS, load_sources, load_tables

from sktaag.transfer import FrozenFeaturizer, SourceSearchCV

ALL = ["average", "stack", "concat", "descriptors"]
SEARCHES = {
    "search": {},
    **{f"search, {aggregate}": {"aggregate": ["best", aggregate]} for aggregate in ALL},
    "search, all four": {"aggregate": ["best", *ALL]},
    "search, all four, one standard error": {"aggregate": ["best", *ALL], "one_standard_error": True},
}


def run_draw(sources, X, y, train, test, seed):
    """Test errors of all rows of the table, and how far the best inner scores were off."""
    head = make_pipeline(StandardScaler(), Ridge(10.0))

    def error(model):
        return float(mean_absolute_error(y[test], model.predict(X[test])))

    found = {}
    for name, params in SEARCHES.items():
        search = SourceSearchCV(head, sources, scoring="neg_mean_absolute_error", random_state=seed, **params)
        search.fit(X[train], y[train])
        found[name] = {"mae": error(search), "chosen": search.best_strategy_}
        if name == "search":
            table, contest = (
                search.cv_results_,
                dict(zip(search.contest_["strategy"], search.contest_["mean_test_score"], strict=True)),
            )
            first = next(iter(sources.values()))
            direct = make_pipeline(*first[:-1], clone(head)).fit(X[train], y[train])
            source = table["param_source"][1:][table["mean_test_score"][1:].argmax()]
            single = make_pipeline(FrozenFeaturizer(sources[source]), clone(head)).fit(X[train], y[train])
            plain = single if table["mean_test_score"].argmax() > 0 else direct
            found |= {"direct": {"mae": error(direct)}, "best inner score": {"mae": error(plain)}}
            found["inner / test"] = {
                "direct model": -contest["direct"] / error(direct),
                "best source, its inner score": -table["mean_test_score"][1:].max() / error(single),
                "best source, in the contest": -contest["best"] / error(single),
            }
    return found


def to_markdown(report):
    s, targets = report["settings"], report["targets"]
    lines = [
        f"{s['sources']} source networks, last hidden layer, ridge regression, 5 inner folds, {s['train']} training "
        f"molecules, {s['draws']} draws of each target; {report['machine']}. Test MAE relative to the direct model in "
        "the same draw: median of each target, then mean and worst of all draws.",
        "",
        f"| model | {' | '.join(targets)} | mean | worst | direct model kept |",
        "|---" * (len(targets) + 4) + "|",
    ]
    for name in ("best inner score", *SEARCHES):
        ratios = {target: [draw[name]["mae"] / draw["direct"]["mae"] for draw in d] for target, d in targets.items()}
        every = np.concatenate(list(ratios.values()))
        kept = np.mean([draw[name].get("chosen") == "direct" for d in targets.values() for draw in d])
        cells = [f"{np.median(values):.2f}" for values in ratios.values()]
        share = "" if name == "best inner score" else f"{kept:.0%}"
        lines.append(f"| {name} | {' | '.join(cells)} | {every.mean():.2f} | {every.max():.2f} | {share} |")
    lines += ["", "Inner error over test error, mean of all draws (below one is optimistic):", ""]
    for name in next(iter(targets.values()))[0]["inner / test"]:
        ratio = np.mean([draw["inner / test"][name] for d in targets.values() for draw in d])
        lines.append(f"- {name}: {ratio:.2f}")
    return "\n".join([*lines, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where tables, networks and results stay")
    parser.add_argument("--sources", type=int, default=60)
    parser.add_argument("--train", type=int, default=40, help="training molecules of the target")
    parser.add_argument("--test", type=int, default=300, help="test molecules of the target, at most")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--max-epochs", type=int, default=20, help="epochs of each source network, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="Markdown file; the figures of every draw go beside it as JSON")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    tables = load_tables(args.folder)
    sources, targets = load_sources(args.folder, tables, args), {}
    for name in TARGETS:
        X, y = (np.array(column, dtype) for column, dtype in zip(tables[name], (object, float), strict=True))
        targets[name] = []
        for draw in range(args.draws):
            path = args.folder / f"contest {name} {args.sources}-{args.train}-{args.seed} {draw}.json"
            if not path.exists():
                order = np.random.RandomState(args.seed + draw).permutation(len(X))
                train, test = order[: args.train], order[args.train : args.train + args.test]
                write_json(path, run_draw(sources, X, y, train, test, args.seed))
            targets[name].append(json.loads(path.read_text()))
    report = {
        "machine": machine("numpy", "scikit-learn", "sktaag", "torch"),
        "settings": {key: value for key, value in vars(args).items() if key not in ("folder", "output")},
        "targets": targets,
    }
    print(to_markdown(report))
    if args.output:
        args.output.write_text(to_markdown(report), encoding="utf-8")
        write_json(args.output.with_suffix(".json"), report)


if __name__ == "__main__":
    main()
