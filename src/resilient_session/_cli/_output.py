"""Write a response: its head and body, to a file, a pipe or a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

BINARY = "the body is binary: write it to a file with -o FILE, or pipe it"
_TEXT_CONTROLS = frozenset("\n\t\r")


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal."""
    return bool(stream.isatty())


def write(response: requests.Response, path: str | None, *, include: bool) -> str | None:
    """Write a response.

    Args:
        response: the response, with its body.
        path: the file; None or "-" for standard output.
        include: whether its status line and headers come first.

    Returns:
        Why nothing was written; None if it was.
    """
    head = _head(response) if include else b""
    if path is not None and path != "-":
        try:
            _write_file(Path(path), head + response.content)
        except OSError as error:
            return f"{path}: {error.strerror}"
        return None
    if not is_terminal(sys.stdout):
        sys.stdout.buffer.write(head + response.content)
        return None
    if b"\0" in response.content:
        return BINARY
    sys.stdout.write(harmless(head.decode("latin-1") + response.text))
    return None


def harmless(text: str) -> str:
    """Return a text in which control characters, such as those that steer a terminal, are shown as escapes."""
    return "".join(char if char.isprintable() or char in _TEXT_CONTROLS else ascii(char)[1:-1] for char in text)


def _head(response: requests.Response) -> bytes:
    version = {10: "1.0", 11: "1.1", 20: "2"}.get(getattr(response.raw, "version", 11), "1.1")
    lines = [f"HTTP/{version} {response.status_code} {response.reason or ''}".rstrip()]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _write_file(path: Path, data: bytes) -> None:
    """Write a file as a whole: an interrupt leaves what was there before. A device or a pipe is written to."""
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
