"""``python -m sktaag.cli`` is the command ``sktaag``."""

import sys

from sktaag.cli import main

sys.exit(main())
