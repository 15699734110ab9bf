"""`download()`: request, join, check, rename."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import HTTPError

from resilient_session._config._settings import short_repr
from resilient_session._download._digests import mismatch
from resilient_session._download._part import Part
from resilient_session._download._progress import shown
from resilient_session._download._receiver import Receiver
from resilient_session._errors import DigestMismatch
from resilient_session._session import resilient_session
from resilient_session._transport._body_guard import decoded, raised_for

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    from requests import Response

    from resilient_session._download._digests import Digests
    from resilient_session._download._progress import Progress


def download(
    url: str,
    path: str | os.PathLike[str],
    *,
    session: requests.Session | None = None,
    sha256: str | None = None,
    progress: Progress | bool | None = None,
) -> Path:
    """Download a file, and go on after breaks: of the connection, and of this program.

    The bytes are collected in ``<path>.part``. If the program ends before all are there, the next call with the
    same URL and path requests the rest, if the server's validator proves that the file is still the same (RFC 9110
    §13.1.5). The file gets its name when it is complete and checked: what was there before stays until then.

    Args:
        url: the URL. Its hash is noted beside the part, nothing else of it.
        path: the file; its directory exists. An ordinary file at this path is replaced.
        session: the session; its policy decides about retries, and only attempts without progress count against
            `total`. None makes one with the defaults. A session of plain requests does not retry.
        sha256: the SHA-256 digest that the file must have, as 64 hexadecimal digits; None checks only the length,
            and the digests that the server sends (``Repr-Digest``, RFC 9530).
        progress: a function called with the bytes so far and those of the whole file (None if unknown), after
            each piece; what it raises ends the download. True shows a bar if standard error is a terminal; it
            needs the extra ``progress``. None or False shows nothing.

    Returns:
        The path of the file.

    Raises:
        requests.exceptions.RequestException: as `requests` raises it. A `requests.exceptions.HTTPError` if the
            status is not 200 or 203, a `DigestMismatch` if a digest is wrong; then the part is removed.
        OSError: the file cannot be written, or the path is not one of an ordinary file.
        TypeError: an argument has the wrong type.
        ValueError: `sha256` is no digest.
        ImportError: `progress` is True, and ``tqdm`` is not installed.
    """
    if session is not None and not isinstance(session, requests.Session):
        message = f"session={short_repr(session)}: must be a requests.Session instance or None"
        raise TypeError(message)
    with contextlib.nullcontext(session) if session is not None else resilient_session() as used:
        return receive(
            lambda headers: used.get(url, headers=headers, stream=True), url, path, sha256=sha256, progress=progress
        )


def receive(
    get: Callable[[Mapping[str, str]], Response],
    url: str,
    path: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    progress: Progress | bool | None = None,
) -> Path:
    """Download a file by a function that sends a request; else as `download`.

    Args:
        get: sends a GET for the URL, with these headers added, and returns a streamed response.
        url: the URL.
        path: see `download`.
        sha256: see `download`.
        progress: see `download`.
    """
    expected = {} if sha256 is None else {"sha256": _checked(sha256)}
    target = Path(path)
    if target.exists() and not target.is_file():
        message = f"path={str(target)!r}: must be the path of an ordinary file"
        raise OSError(message)
    with shown(progress, target.name) as show, Part(target, url) as part:
        receiver = Receiver(get, part, show)
        receiver.receive()
        _complete(part, receiver.coding, expected)
    return target


def _checked(sha256: str) -> str:
    if not isinstance(sha256, str):
        message = f"sha256={short_repr(sha256)}: must be a string of 64 hexadecimal digits, or None"
        raise TypeError(message)
    if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        message = f"sha256={sha256!r}: must be 64 hexadecimal digits, or None"
        raise ValueError(message)
    return sha256.lower()


def _complete(part: Part, coding: str, expected: Digests) -> None:
    """Check a part that is complete, and give it the name of the file; a wrong one is removed."""
    try:
        _check(part.digests, part.pieces())  # those of the server are of what it sent (RFC 9530 §3)
        _check(expected, _content(part, coding) if coding else part.pieces())
        part.become(_content(part, coding) if coding else None)
    except requests.RequestException:
        part.discard()
        raise


def _check(expected: Digests, pieces: Iterator[bytes]) -> None:
    wrong = mismatch(expected, pieces)
    if wrong:
        raise DigestMismatch(wrong)


def _content(part: Part, coding: str) -> Iterator[bytes]:
    """Yield what a part contains that was received in a coding."""
    try:
        yield from decoded(part.reopened(), coding)
    except HTTPError as error:
        raise raised_for(error, None) from error
