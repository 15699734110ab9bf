"""Saves 1 % of a request: one system call per place of a netrc file. `python instructions.py --only happy`.

Taken: Linux, with HOME and without NETRC in the environment. Each request looks for the files. If one is there,
requests reads it.
"""

from __future__ import annotations

import os

from requests import utils

from resilient_session._variables import variables


def is_without_netrc() -> bool:
    """Return whether there is certainly no netrc file."""
    names = variables()
    if names is None or b"NETRC" in names or b"HOME" not in names:
        return False
    home = os.fsdecode(names[b"HOME"]).rstrip("/")
    return not any(os.access(f"{home}/{file}", os.F_OK, effective_ids=True) for file in utils.NETRC_FILES)
