"""Kill a download before each line that touches a file, run it again, and look at what is there.

A program of its own, with one thread, so that it may fork: ``killed_downloads.py URL FOLDER`` prints the number of
kills. It reads the paths of two versions of the file, and with what it begins: nothing, a part, or a part of the
older version.
"""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import sys
from pathlib import Path

from resilient_session import download, resilient_session
from resilient_session._download import _part

BEFORE = b"what was there before"


def run(url, path, kill_before, *, begins_with=None):
    """Download in a child that is killed before its n-th step; return whether it came to its end.

    Args:
        url: the URL.
        path: the path.
        kill_before: the number of the step; 0 for none.
        begins_with: told to the server; the child is killed after a few bytes. None for neither.
    """
    child = os.fork()
    if not child:
        steps = 0

        def trace(frame, event, arg):
            nonlocal steps
            if frame.f_code.co_filename != _part.__file__:
                return None
            steps += event == "line"
            if event == "line" and steps == kill_before:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace

        def progress(done, _):
            if begins_with and done:
                os.kill(os.getpid(), signal.SIGKILL)

        session = resilient_session(logger=None)
        if begins_with:
            session.headers["X-Begins-With"] = begins_with
        sys.settrace(trace)
        download(url, path, session=session, progress=progress)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def main(url, folder, begins_with, versions):
    """Kill at each step in turn, until none is left."""
    path = Path(folder, "file")
    kills = 0
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        path.parent.mkdir()
        path.write_bytes(BEFORE)
        if begins_with != "nothing":
            run(url, path, 0, begins_with=begins_with)
            assert path.with_name("file.part.json").exists()
        ended = run(url, path, kills + 1)
        assert path.read_bytes() in {BEFORE, *versions}, f"wrong after kill {kills + 1}"
        assert run(url, path, 0)
        assert path.read_bytes() == versions[0], f"wrong in the run after kill {kills + 1}"
        left = [each.name for each in path.parent.iterdir() if not each.name.startswith(".")]
        assert left == ["file"], left
        if ended:
            return kills
        kills += 1


if __name__ == "__main__":
    texts = [Path(name).read_bytes() for name in sys.argv[4:]]
    sys.stdout.write(
        str(main(*sys.argv[1:4], [gzip.decompress(text) if text[:2] == b"\x1f\x8b" else text for text in texts]))
    )
