"""Arguments of the command line, and what becomes of errors."""

import argparse
import sys
import warnings

import sktaag

_EXAMPLE = """
A first example. data.csv holds

    smiles,Tg (K)
    CCO,351
    CCCO,370

and at least twenty rows more. Then

    sktaag compare data.csv --structure smiles --target Tg --report tg.html --save tg.sktaag
    sktaag predict tg.sktaag new.csv -o predicted.csv

says whether networks that were trained on other properties help to predict Tg, and predicts it for new structures.

Exit codes: 0 all is well, 1 the data or a file must be mended (the message says where), 2 the command is wrong.
"""
_COMPARE = """
Fit a random forest on fingerprints (direct) and one on the hidden layers of networks that know other properties
(transfer), judge both by the same cross-validation, and say which is better, with an interval. Structures are SMILES,
or PSMILES of repeat units such as *CC*; the target is a column of numbers, or of classes such as active and inactive.

Without --library, networks are trained on measured properties of organic molecules that come with sktaag's dependency
chemicals. That takes a minute or two the first time; they are kept in the folder --cache. Molecules of your file are
left out of their training.

What the file may contain: a byte order mark, separators , ; tab or |, decimal commas, empty rows, the unit in the
header as in "Tg (K)", structures that occur more than once. What is left out or merged is reported line by line.
"""
_PREDICT = """
Predict for each row of a file with a model that "sktaag compare --save" or sktaag.io.save_model wrote. All columns of
the file come back with the prediction behind them, in the order of the rows; numbers have decimal points. A class comes
with the probability of each. Empty rows do not come back.
"""


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    code : int
        0 if all is well, 1 if the data or a file must be mended. Wrong arguments end the process with 2.

    Examples
    --------
    >>> from sktaag.cli import main
    >>> main(["library", "info", "nowhere"])
    1
    """
    args = _parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            args.run(args)
        except (ImportError, KeyError, OSError, TypeError, ValueError) as error:
            text = error.args[0] if isinstance(error, KeyError) and error.args else error
            print("\n".join([f"sktaag {args.command}: {text}", *getattr(error, "__notes__", ())]), file=sys.stderr)
            return 1
    return 0


def _show_warning(message, category, filename, lineno, file=None, line=None):
    print(f"Note: {message}", file=sys.stderr)


def _parser():
    parser = argparse.ArgumentParser(
        prog="sktaag",
        description="Transfer learning for small chemical data: does it help on your file, and what does it predict?",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sktaag {sktaag.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{compare,predict,library}")
    _add_compare(commands)
    _add_predict(commands)
    _add_library(commands)
    return parser


def _add_compare(commands):
    parser = commands.add_parser(
        "compare",
        help="does transfer help on my file?",
        description=_COMPARE,
        epilog='Example: sktaag compare data.csv --structure smiles --target "Tg (K)" --report out.html',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", help="CSV file with a header")
    parser.add_argument("--structure", required=True, metavar="COLUMN", help="column of SMILES or PSMILES")
    parser.add_argument("--target", required=True, metavar="COLUMN", help="column to predict; its unit may be left out")
    parser.add_argument("--unit", help="unit of the target, if the header does not tell")
    parser.add_argument(
        "--task",
        choices=("regression", "classification"),
        help="what the target is: quantities or classes (default: quantities if it holds numbers, classes if texts)",
    )
    sources = parser.add_argument_group("sources")
    sources.add_argument(
        "--source",
        nargs="+",
        metavar="NAME",
        help="properties to train on (default: boiling_points critical_temperatures refractive_indices; also "
        "melting_points, ...: the load_ functions of sktaag.datasets), or with --library, those to take from it",
    )
    sources.add_argument("--library", metavar="DIR", help="model library whose networks to search instead")
    sources.add_argument(
        "--cache", metavar="DIR", help="folder for trained networks (default: the user's cache folder)"
    )
    sources.add_argument("--search", action="store_true", help="let a search over sources and layers compete as well")
    judging = parser.add_argument_group("judging")
    judging.add_argument("--cv", type=_from(2), default=5, metavar="K", help="folds (default: 5)")
    judging.add_argument(
        "--repeats", type=_from(1), default=3, metavar="N", help="of the cross-validation (default: 3)"
    )
    judging.add_argument("--learning-curve", action="store_true", help="judge on a quarter and a half of the rows, too")
    judging.add_argument("--seed", type=_from(0), default=0, help="of folds, networks and forests (default: 0)")
    judging.add_argument("--jobs", type=int, metavar="N", help="processes (default: 1)")
    dirt = parser.add_argument_group("rows that are not as they should be")
    dirt.add_argument(
        "--on-invalid",
        choices=("raise", "skip"),
        default="raise",
        help="structures that cannot be read: stop and list them (default), or leave them out and report them",
    )
    dirt.add_argument(
        "--duplicates",
        choices=("median", "raise"),
        default="median",
        help="structures in several rows: take the median of their values, or the most frequent class, and report it "
        "(default), or stop",
    )
    results = parser.add_argument_group("results")
    results.add_argument("--report", metavar="FILE", help="write all as one HTML page")
    results.add_argument("--save", metavar="FILE", help="fit the best model to all rows and keep it for sktaag predict")
    parser.set_defaults(run=_compare)


def _add_predict(commands):
    parser = commands.add_parser(
        "predict",
        help="predict for new structures",
        description=_PREDICT,
        epilog="Example: sktaag predict tg.sktaag new.csv --on-invalid nan -o predicted.csv",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="file of a model")
    parser.add_argument("data", help="CSV file with a header")
    parser.add_argument("--structure", metavar="COLUMN", help="column of structures (default: named as in training)")
    parser.add_argument("-o", "--output", metavar="FILE", help="CSV file to write (default: standard output)")
    parser.add_argument(
        "--on-invalid",
        choices=("raise", "nan"),
        default="raise",
        help="structures that cannot be read: stop and list them (default), or leave their predictions empty",
    )
    parser.add_argument(
        "--trusted",
        nargs="+",
        default=(),
        metavar="CLASS",
        help="classes that the file may hold besides the usual ones",
    )
    parser.set_defaults(run=_predict)


def _add_library(commands):
    parser = commands.add_parser("library", help="look into a model library")
    actions = parser.add_subparsers(dest="action", required=True, metavar="{search,info}")
    search = actions.add_parser(
        "search",
        help="list models, the best first",
        epilog='Example: sktaag library search models --property "*gap*" --min-r2 0.8',
    )
    search.add_argument("library", metavar="DIR")
    for name in ("property", "material", "dataset", "name"):
        search.add_argument(f"--{name}", metavar="TEXT", help="whole text; * and ? stand for any letters")
    search.add_argument("--min-r2", type=float, metavar="R2", help="on held-out data")
    search.add_argument("--limit", type=_from(1), default=20, metavar="N", help="most rows to show (default: 20)")
    search.set_defaults(run=_library_search)
    info = actions.add_parser("info", help="what is in a library, or the card of a model")
    info.add_argument("library", metavar="DIR")
    info.add_argument("id", nargs="?", help="of a model, as search shows it")
    info.set_defaults(run=_library_info)


def _from(least):
    def number(text):
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {value}")
        return value

    number.__name__ = "whole number"
    return number


# imported only where they are needed, so that --help does not wait for torch


def _compare(args):
    from sktaag.cli._compare import run

    run(args)


def _predict(args):
    from sktaag.cli._predict import run

    run(args)


def _library_search(args):
    from sktaag.cli._library import search

    search(args)


def _library_info(args):
    from sktaag.cli._library import info

    info(args)
