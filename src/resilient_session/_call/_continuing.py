"""How the next request of a call finds its call: redirects, and the re-sends of auth handlers.

`Session` sends each hop of a redirect through the adapter again, and so does an auth handler that responds to a
challenge. Such a request shares its `hooks` dict with the one before it; but so does the same request sent again by
the user, which is a call of its own. So a call continues only

- while the response that asks for another request is alive: a redirect, or a challenge (401, 407) if the request
  has a response hook, without which nobody would respond to it;
- with a request that does what was asked: one that goes to another place, or that is changed after a challenge.

Which session or adapter sends it does not matter, so one table serves the process. If nobody does what a response
asks for, the call ends when the response is collected.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin
from weakref import WeakValueDictionary

from resilient_session._transport._body_guard import is_redirect

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from resilient_session._call._call import Call

CHALLENGES = frozenset({401, 407})
_ASKED = "_resilient_asked"


_asking: WeakValueDictionary[tuple[int, int], Response] = WeakValueDictionary()
"""The responses that ask for another request. An entry is unique while its response, and so the `hooks`, live."""


def resume(request: PreparedRequest) -> Call | None:
    """Return the call that a request continues; None if it begins one."""
    response = _asking.pop(_key(request), None) if _asking else None
    asked: _Asked | None = None if response is None else vars(response).pop(_ASKED, None)
    if response is None or asked is None or not asked.is_met_by(request, response):
        return None
    return asked.take_call()


def suspend(call: Call, request: PreparedRequest, response: Response) -> bool:
    """Keep a call open for as long as its response lives, if that asks for another request.

    Returns:
        Whether it does.
    """
    is_challenge = response.status_code in CHALLENGES and bool(request.hooks.get("response"))
    if not is_challenge and not is_redirect(response):
        return False
    vars(response)[_ASKED] = _Asked(call, request)
    _asking[_key(request)] = response
    return True


def _key(request: PreparedRequest) -> tuple[int, int]:
    """Tell apart the copies of one request that several threads send at once."""
    return id(request.hooks), threading.get_ident()


class _Asked:
    """A request as it was when its response asked for another; its call ends with it, unless it was continued."""

    __slots__ = ("_call", "_content", "_request", "_url")

    def __init__(self, call: Call, request: PreparedRequest) -> None:
        self._call: Call | None = call
        self._request = id(request)
        self._url = str(request.url)
        self._content = _content(request)

    def __del__(self) -> None:
        if self._call is not None:
            self._call.end()

    def take_call(self) -> Call | None:
        """Return the call, which continues."""
        call, self._call = self._call, None
        return call

    def is_met_by(self, request: PreparedRequest, response: Response) -> bool:
        """Whether a request does what the response asked for, and is not the old one once more."""
        if response.request.hooks is not request.hooks or request is response.next:
            return False
        if not is_redirect(response):
            return _content(request) != self._content
        return id(request) != self._request and (request.url != self._url or self._points_to_itself(response))

    def _points_to_itself(self, response: Response) -> bool:
        try:
            target = urljoin(self._url, response.headers["location"])
        except ValueError:  # not a URL
            return False
        return urldefrag(target).url == urldefrag(self._url).url


def _content(request: PreparedRequest) -> tuple[object, ...]:
    """Return all of a request in which a response to a challenge may differ: a header, or a token in the URL."""
    return str(request.url), tuple(request.headers.items())
