"""``python -m resilient_session``."""

from __future__ import annotations

import sys

from resilient_session._cli._main import main

if __name__ == "__main__":
    sys.exit(main())
