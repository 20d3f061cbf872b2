"""`python -m orchestration`: the same as the command `intent-map`."""

import sys

from orchestration.cli import main

if __name__ == "__main__":
    sys.exit(main())
