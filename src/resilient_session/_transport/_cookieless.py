"""Saves 1 % of a request: no cookies are sought in a head that sets none. `python instructions.py --only happy`.

`requests` makes a mock of the request and one of the response for `http.cookiejar`, and parses the URL again, to
find that there is nothing to do. It skips all that for a response without the message of http.client, so that is
not there while it builds the response.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests import adapters
from urllib3 import HTTPResponse

from resilient_session._transport._known_pools import are_defined_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest, Response


def _extracting() -> object:
    return adapters.extract_cookies_to_jar  # type: ignore[attr-defined]  # where a patch would be


_EXTRACT = _extracting()
_IS_STOCK = are_defined_in({"requests.cookies"}, (_EXTRACT,))
"""Whether it was not patched when this module was imported."""


def built(build: Callable[..., Response], request: PreparedRequest, raw: Any) -> Response:
    """Build a response of `requests` from one of urllib3, with the function that builds it."""
    is_stock = _IS_STOCK and _extracting() is _EXTRACT
    original = raw._original_response if is_stock and type(raw) is HTTPResponse else None  # noqa: SLF001 - as `requests`
    if original is None or _sets_cookies(raw.headers):
        return build(request, raw)
    raw._original_response = None  # noqa: SLF001
    try:
        return build(request, raw)
    finally:
        raw._original_response = original  # noqa: SLF001


def _sets_cookies(headers: Any) -> bool:
    return "set-cookie" in headers or "set-cookie2" in headers
