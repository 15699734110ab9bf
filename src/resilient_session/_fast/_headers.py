"""Saves 7 % of a request: headers copied at once, and checked once. `python instructions.py --only happy`.

Taken: headers with names of type str and without None, which would remove one. A session's headers are checked by
requests' own checker when they changed since the last request; those of a request always.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests import models
from requests.exceptions import InvalidHeader
from requests.structures import CaseInsensitiveDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from resilient_session._fast._session import FastSession


def valid_headers(session: FastSession, given: Mapping[str, Any]) -> CaseInsensitiveDict[str | bytes] | None:
    """Return the headers of a session with those of a request, or None if they are not plain or not valid."""
    if type(session.headers) is not CaseInsensitiveDict or type(given) is not dict:
        return None
    store: Any = session.headers._store.copy()  # noqa: SLF001 - copy() of the class sets one by one
    own = tuple(store.values())
    if own != session.valid_headers:
        if not _are_valid(own):
            return None
        session.valid_headers = own
    if given:
        if not _are_valid(given.items()):
            return None
        for name, value in given.items():
            store[name.lower()] = (name, value)
    headers: Any = CaseInsensitiveDict.__new__(CaseInsensitiveDict)
    headers._store = store  # noqa: SLF001 - as above
    return headers  # type: ignore[no-any-return]


def _are_valid(items: Iterable[tuple[Any, Any]]) -> bool:
    for item in items:
        if type(item[0]) is not str:
            return False
        try:
            models.check_header_validity(item)  # type: ignore[attr-defined]  # where a patch would be
        except InvalidHeader:
            return False
    return True
