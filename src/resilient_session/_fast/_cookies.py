"""Saves 3 % of a request: nothing to look for in an empty jar. `python instructions.py --only happy`.

Taken: a session with an empty jar of requests' own class, a request without cookies, and a plain URL. Otherwise
cookies are merged, and the header is written, by requests.
"""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any

from requests import sessions
from requests.cookies import RequestsCookieJar

if TYPE_CHECKING:
    from requests import PreparedRequest, Request

    from resilient_session._fast._session import FastSession


def merged_cookies(session: FastSession, request: Request) -> CookieJar | None:
    """Return a new jar with the cookies of a session and a request, or None if there are none."""
    given: Any = request.cookies or None
    if given is None and type(session.cookies) is RequestsCookieJar and not session.cookies:
        return None
    if given is not None and not isinstance(given, CookieJar):
        given = sessions.cookiejar_from_dict(given)  # type: ignore[attr-defined]  # where a patch would be
    merge: Any = sessions.merge_cookies  # type: ignore[attr-defined]  # where a patch would be
    return merge(merge(RequestsCookieJar(), session.cookies), given)  # type: ignore[no-any-return]


def set_cookies(prepared: PreparedRequest, jar: CookieJar | None, *, is_plain_url: bool) -> None:
    """Set the cookies of a request, and the header if there are any."""
    if jar is None and is_plain_url:
        prepared._cookies = RequestsCookieJar()  # noqa: SLF001 - where prepare_cookies() puts it
    else:
        prepared.prepare_cookies(jar)
