"""Saves a tenth of a retried attempt (``benchmarks/instructions.py --only retried``): its response is never built.

`requests` copies the headers of each response, guesses an encoding and looks for cookies. Of a failed attempt the
policy needs no more than urllib3's response has. So what `requests` would make of it is made when somebody needs
it: at the latest when the call ends with it, and then all at once. Code of others that may see it before (a
subclass, a mixed-in class, a patch) gets it at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests import Response
from requests.adapters import HTTPAdapter

from resilient_session._transport._cookieless import built
from resilient_session._transport._in_flight import current
from resilient_session._transport._known_pools import PoolFindingAdapter, are_defined_in

if TYPE_CHECKING:
    import urllib3
    from requests import PreparedRequest

_FIRST_ERROR = 400
"""Responses below this status hardly ever fail, and the caller gets them."""

_BUILD, _SEND = HTTPAdapter.build_response, HTTPAdapter.send
_ARE_STOCK = are_defined_in({"requests.adapters"}, (_BUILD, _SEND))
"""Whether neither was patched when this module was imported."""


class LateResponse(Response):
    """A response of which no more is there than its attempt needs; a `Response` as soon as more is needed."""

    def __init__(self, adapter: HTTPAdapter, request: PreparedRequest, raw: urllib3.BaseHTTPResponse) -> None:
        # not `super()`, which would make what this class saves
        self.connection = adapter
        self.request = request
        self.raw = raw
        self.status_code = raw.status
        self._content = self._content_consumed = False

    def __getattr__(self, name: str) -> Any:
        """Return what is not there yet."""
        return getattr(complete(self), name)


def complete(response: Response) -> Response:
    """Make a response what `requests` would have made of it, and return it."""
    if type(response) is LateResponse:
        whole = HTTPAdapter.build_response(response.connection, response.request, response.raw)
        vars(response).update({**vars(whole), **vars(response)})
        response.__class__ = Response  # type: ignore[assignment]  # it has all that one has
    return response


class LateAdapter(PoolFindingAdapter):
    """An adapter that builds the response of a failed attempt when it is needed."""

    def build_response(self, req: PreparedRequest, resp: urllib3.BaseHTTPResponse) -> Response:
        """Return the response of `requests` for one of urllib3; for an attempt in flight that failed, later."""
        build: Any = super().build_response
        if not _ARE_STOCK or getattr(build, "__func__", None) is not _BUILD:
            return build(req, resp)  # type: ignore[no-any-return]
        if resp.status >= _FIRST_ERROR and self._may_wait(resp):
            return LateResponse(self, req, resp)
        return built(build, req, resp)

    def _may_wait(self, resp: urllib3.BaseHTTPResponse) -> bool:
        """Whether nobody but our own loop sees the response before it is complete, if `requests` would build it."""
        in_flight = current()
        follows: Any = super()
        return (
            in_flight is not None
            and in_flight.sender is self
            and in_flight.received is resp
            and type(self).build_response is LateAdapter.build_response
            and "build_response" not in vars(self)
            and getattr(follows.send, "__func__", None) is _SEND
        )
