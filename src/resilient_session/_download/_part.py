"""The part of a file that was received, in a file beside it, with a note of what it is a part of.

The order of steps keeps it true at each moment at which the program may be killed: a note is removed before the
part that it describes is emptied, and written before the first byte of another is. The name of the file is given in
one step, while the part is locked.

A part is used by one at a time. Whoever finds it locked does not wait, but uses a private file without a note. So
does every run where `fcntl` is missing, as on Windows: its downloads are whole, but another run begins anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
from typing import IO, TYPE_CHECKING

from resilient_session._download._digests import ALGORITHMS
from resilient_session._policy._joining import Whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Self

    from resilient_session._download._digests import Digests

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_MODE = 0o666
"""Permissions, from which the umask of the process takes some."""

_AT_ONCE = 262144
_TIMES = 0
"""How often it is tried to open and lock a part: somebody else may complete it at this moment."""
with contextlib.suppress(ImportError):  # Windows has none
    import fcntl

    _TIMES = 10


class Part:
    """What was received of a file. Close it at the end, whatever the end is.

    Args:
        target: the path of the file.
        url: the URL that it is downloaded from.

    Attributes:
        size: the bytes received so far.
        whole: the version that they are a part of; None if they cannot be continued.
        digests: those that the server sent for it.

    Raises:
        OSError: no file can be made in that directory.
    """

    def __init__(self, target: Path, url: str) -> None:
        self.size = 0
        self.whole: Whole | None = None
        self.digests: Digests = {}
        self._target = target
        self._url = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
        self._path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")
        locked = _locked(self._path)
        self._is_private = locked is None
        if locked is None:
            self._path, locked = _private(target)
        self._file = os.fdopen(locked, "r+b", buffering=0)
        if not self._is_private:
            self._recall()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the part. It stays for another run, unless that could not go on with it."""
        if not self._file.closed and (self._is_private or self.whole is None):
            self.discard()
        self._file.close()

    def begin(self, whole: Whole | None, digests: Digests) -> None:
        """Begin anew: what was received is dropped.

        Args:
            whole: the version that will be received; None for one of which no part can be continued.
            digests: those that the server sent for it.
        """
        if not self._is_private:
            self._note.unlink(missing_ok=True)
        self._file.truncate(0)
        self._file.seek(0)
        self.size, self.whole, self.digests = 0, whole, digests
        self._note_down()

    def learn_length(self, whole: Whole) -> None:
        """Note the length of a version whose length was not known: what has another one is no part of it."""
        if not self._is_private:
            self._note.unlink(missing_ok=True)
        self.whole = whole
        self._note_down()

    def write(self, data: bytes) -> None:
        """Add bytes at the end."""
        view = memoryview(data)
        while view:
            count = self._file.write(view)
            self.size += count
            view = view[count:]

    def pieces(self) -> Iterator[bytes]:
        """Yield what was received."""
        self._file.seek(0)
        while data := self._file.read(_AT_ONCE):
            yield data

    def reopened(self) -> IO[bytes]:
        """Return another file object for what was received; who gets it may close it."""
        self._file.seek(0)
        return os.fdopen(os.dup(self._file.fileno()), "rb")

    def become(self, pieces: Iterator[bytes] | None) -> None:
        """Give it the name of the file.

        Args:
            pieces: what the file shall contain; None for the bytes as they were received.
        """
        if pieces is None and _is_at(self._path, self._file.fileno()):
            self._publish(self._path, self._file)
            self._file.close()
            return
        path, descriptor = _private(self._target)
        with _removed_on_error(path), os.fdopen(descriptor, "w+b") as file:
            for data in pieces or self.pieces():
                file.write(data)
            file.flush()
            self._publish(path, file)
        self.discard()

    def discard(self) -> None:
        """Remove the part and its note."""
        if self._is_private:
            self._file.close()  # Windows removes no open file
            self._path.unlink(missing_ok=True)
        elif _is_at(self._path, self._file.fileno()):  # not the part of somebody else, if this one was removed
            self._note.unlink(missing_ok=True)
            self._path.unlink()
        self._file.close()

    def _publish(self, path: Path, file: IO[bytes]) -> None:
        """Rename a complete file. The note goes first: afterwards there may be one of somebody else."""
        os.fsync(file.fileno())
        if self._is_private:
            file.close()  # Windows renames no open file
        elif _is_at(self._path, self._file.fileno()):
            self._note.unlink(missing_ok=True)
        path.replace(self._target)

    def _recall(self) -> None:
        """Go on with what the note describes, if it is of the same URL."""
        size = os.fstat(self._file.fileno()).st_size
        try:
            note = json.loads(self._note.read_bytes())
            whole, digests = Whole(*note["whole"]), note["digests"]
            is_sound = [*map(type, whole)] in _TYPES and whole.validator.isascii() and whole.validator.isprintable()
            is_ours = is_sound and digests.keys() <= ALGORITHMS and note["url"] == self._url
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            return
        if is_ours and 0 < size <= (whole.length or size):
            self.whole, self.digests = whole, digests
            self.size = size - 1  # there is a byte to request, even if the whole was received
            self._file.seek(self.size)

    def _note_down(self) -> None:
        """Write the note, where there is none."""
        if self.whole is None or self._is_private:
            return
        note = {"url": self._url, "whole": [*self.whole], "digests": {**self.digests}}
        descriptor = os.open(self._note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(note, file)


_TYPES = ([str, str, str, int, bool], [str, str, str, type(None), bool])


def _locked(path: Path) -> int | None:
    """Open a part and lock it; None if somebody else uses it, or it cannot be locked."""
    for _ in range(_TIMES):
        try:
            descriptor = os.open(path, _FLAGS, _MODE)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        if _is_at(path, descriptor):
            return descriptor
        os.close(descriptor)  # completed or removed by somebody else since it was opened
    return None


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file is an ordinary one, and still the one at a path."""
    try:
        there = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(there.st_mode) and os.path.samestat(there, os.fstat(descriptor))


def _private(target: Path) -> tuple[Path, int]:
    """Make a file that nobody else uses, in the same directory."""
    path = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        return path, os.open(path, _FLAGS | os.O_EXCL, _MODE)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from None


@contextlib.contextmanager
def _removed_on_error(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
