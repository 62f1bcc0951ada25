"""Progress bars that suit where they go: a terminal, a notebook, or a log file."""

import sys

from tqdm.auto import tqdm
from tqdm.notebook import tqdm_notebook


class _Lines:
    """Standard error for a log file: what would be drawn over the last line becomes a line of its own."""

    def write(self, text):
        text = text.strip("\r\n ")
        if text:
            sys.stderr.write(f"{text}\n")

    def flush(self):
        sys.stderr.flush()


def progress(iterable=None, **options):
    """Make a progress bar; in a log file it is a line every ten seconds.

    Parameters
    ----------
    iterable : iterable or None, default=None
    **options : dict
        For tqdm.

    Returns
    -------
    bar : tqdm
    """
    if not issubclass(tqdm, tqdm_notebook) and not sys.stderr.isatty():
        options |= {"mininterval": 10, "miniters": 1, "file": _Lines(), "ascii": True}
    return tqdm(iterable, **options)
