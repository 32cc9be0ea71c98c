"""``python -m pneumoscreen``: the same as the command ``pneumoscreen``."""

import sys

from .cli import main

sys.exit(main())
