"""A download that is killed before any line that touches a file leaves the old file or the new one."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from resilient_session.testing import FaultServer, Reply

SCRIPT = Path(__file__).parents[1] / "support" / "killed_downloads.py"
NEWER = random.Random(5).randbytes(20_000)  # noqa: S311 - a body


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("begins_with", ["nothing", "part", "older"])
def test_kill_anywhere(tmp_path, begins_with, coded):
    newer = gzip.compress(NEWER) if coded else NEWER
    older = newer[:100] + newer[:99:-1]

    def site(request):
        begins = request.headers.get("X-Begins-With")
        body, etag = (older, '"older"') if begins == "older" else (newer, '"newer"')
        headers = {"ETag": etag, **({"Content-Encoding": "gzip"} if coded else {})}
        asked = request.headers.get("Range")
        if not asked or request.headers["If-Range"] != etag:
            cut = {"cut": "body", "after": 9000, "by": "stall"} if begins else {}
            return Reply(200, body, headers=headers, **cut)
        start = int(asked[6:-1])
        return Reply(
            206,
            body[start:],
            headers={**headers, "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"},
        )

    path = tmp_path / "newer"
    path.write_bytes(newer)
    with FaultServer(default=site) as server:
        done = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, SCRIPT, server.url("/x"), tmp_path / "folder", begins_with, path],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30
