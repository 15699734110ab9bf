"""A call of the user's, over all the requests that it takes, and how those find their call.

`Session` sends each hop of a redirect by itself, and so does an auth handler that answers a challenge. What ties
these to their call is the `hooks` dict, which copies of a request share; but the same request may also be sent
many times, and each time is a call of its own. So a call is open to another request only

- while the response that asks for one is alive: a redirect, or a challenge (401, 407);
- for a request that is an answer to it: one that is on its way to another place, or that is signed anew.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urldefrag, urljoin
from weakref import WeakValueDictionary

from requests.models import REDIRECT_STATI

if TYPE_CHECKING:
    import urllib3
    from requests import PreparedRequest, Response

    from resilient_session._events import Attempt
    from resilient_session._time import Deadline

CHALLENGES = frozenset({401, 407})
_SIGNATURES = ("Authorization", "Proxy-Authorization")
_ASKED = "_resilient_asked"


class Call:
    """One call of the user's: all hops and attempts that it takes.

    Attributes:
        retries: the counts that are left, and urllib3's history of what used them up.
        attempts: what was tried.
        key: the idempotency key, once there is one.
        spent: a body that was sent, or a part of it, and cannot be sent again.
        deadline: when it must be over; None for no such time.
    """

    __slots__ = ("attempts", "deadline", "key", "retries", "spent")

    def __init__(self, retries: urllib3.Retry, deadline: Deadline | None = None) -> None:
        self.retries = retries
        self.deadline = deadline
        self.attempts: list[Attempt] = []
        self.key: str | None = None
        self.spent: object = None


class OpenCalls:
    """The calls that a request yet to come may belong to. The adapters of a session share them."""

    def __init__(self) -> None:
        self._asking: WeakValueDictionary[tuple[int, int], Response] = WeakValueDictionary()

    def __reduce__(self) -> tuple[type[OpenCalls], tuple[()]]:
        return type(self), ()

    def resume(self, request: PreparedRequest) -> Call | None:
        """Take up the call that a request belongs to, if one is open to it."""
        response = self._asking.pop(_key(request), None) if self._asking else None
        asked: _Asked | None = None if response is None else vars(response).pop(_ASKED, None)
        if response is None or asked is None or not asked.is_answered_by(request, response):
            return None
        return asked.call

    def suspend(self, call: Call, request: PreparedRequest, response: Response) -> None:
        """Leave a call open for as long as its response lives, if that asks for another request."""
        if response.status_code in CHALLENGES or is_redirect(response):
            vars(response)[_ASKED] = _Asked(call, id(request), str(request.url), _signatures(request))
            self._asking[_key(request)] = response


def is_redirect(response: Response) -> bool:
    """Tell whether a response is a redirect that `Session` follows; asked first is what is answered fastest."""
    return response.status_code in REDIRECT_STATI and response.is_redirect


def _key(request: PreparedRequest) -> tuple[int, int]:
    """Tell apart the copies of one request that several threads send at once."""
    return id(request.hooks), threading.get_ident()


class _Asked(NamedTuple):
    """What a request looked like that was answered with a demand for another."""

    call: Call
    request: int
    url: str
    signatures: tuple[object, ...]

    def is_answered_by(self, request: PreparedRequest, response: Response) -> bool:
        """Tell whether a request is what the response asked for, or the old one over again."""
        if response.request.hooks is not request.hooks or request is response.next:
            return False
        if not is_redirect(response):
            return _signatures(request) != self.signatures
        return id(request) != self.request and (request.url != self.url or self._points_to_itself(response))

    def _points_to_itself(self, response: Response) -> bool:
        try:
            target = urljoin(self.url, response.headers["location"])
        except ValueError:  # no URL at all
            return False
        return urldefrag(target).url == urldefrag(self.url).url


def _signatures(request: PreparedRequest) -> tuple[object, ...]:
    return tuple(request.headers.get(name) for name in _SIGNATURES)
