"""The command line: sktaag compare, predict and library, over the public functions."""

from sktaag.cli._main import main

__all__ = ["main"]
