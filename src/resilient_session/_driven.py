"""Adapters of other makers, kept and driven: our loop calls them once for each attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3 import PoolManager

from resilient_session._adapter import LoggingHTTPAdapter
from resilient_session._configured import limits_of
from resilient_session._forks import renew_in_children
from resilient_session._policy._carried import retry_from
from resilient_session._transport._hidden_retries import hide_retries
from resilient_session._transport._in_flight import current
from resilient_session._transport._pools import instrument, instrument_proxy, renewed
from resilient_session._tried import Transport, sends_plainly

if TYPE_CHECKING:
    from requests import PreparedRequest, Response
    from requests.adapters import BaseAdapter
    from typing_extensions import Self

    from resilient_session._call._outgoing import SendArguments
    from resilient_session._config._settings import Settings

_OWN = ("inner", "_settings", "_limits", "_known_pools", "_retry", "_rules", "_session", "_of_parent")
"""The attributes of the driver itself. All others are the driven adapter's."""

_UNPICKLED = frozenset({"_session", "_of_parent", "_limits"})


class DrivenHTTPAdapter(LoggingHTTPAdapter):
    """The loop around an adapter with a job of its own: a cache, a TLS context, a Unix socket.

    Attributes:
        inner: the adapter that sends. Its own retries are hidden from it meanwhile.
    """

    inner: Any = None

    @classmethod
    def around(cls, inner: BaseAdapter, settings: Settings) -> Self:
        """Drive an adapter."""
        adapter = cls.__new__(cls)
        adapter.inner = inner
        adapter._configure(settings)  # noqa: SLF001 - its own class
        adapter.max_retries = retry_from(settings.values)
        renew_in_children(adapter)
        return adapter

    def __getattr__(self, name: str) -> Any:
        """Show the attributes of the driven adapter."""
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute where it is read: on the driven adapter, if it is not the driver's own."""
        own = name in _OWN or hasattr(type(self), name)
        object.__setattr__(self if own else self.inner, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self if name in vars(self) else self.inner, name)

    def __getstate__(self) -> dict[str, Any]:
        """Keep the driven adapter in a pickle, which has pools of its own."""
        own = vars(self)
        return {
            name: own[name] for name in _OWN if name in own and name not in {"_session", "_of_parent", "_limits"}
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _limits=limits_of(state["_settings"].values))
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Begin anew in a forked child, the driven adapter included."""
        inner = self.inner
        self._of_parent = (
            getattr(inner, "poolmanager", None),
            getattr(inner, "proxy_manager", None),
        )
        if isinstance(inner, HTTPAdapter):
            inner.poolmanager, inner.proxy_manager = renewed(inner)

    def _renew_pools(self, sizes: list[Any]) -> None:
        """Leave the pools of the driven adapter as they are."""

    def close(self) -> None:
        """Close the driven adapter's connections."""
        self.inner.close()

    def _transport(self) -> Transport:
        inner = self.inner
        is_http_adapter = isinstance(inner, HTTPAdapter)
        if is_http_adapter:
            hide_retries(type(inner))
            manager = getattr(inner, "poolmanager", None)
            if isinstance(manager, PoolManager):
                instrument(manager)
        is_plain = is_http_adapter and "send" not in vars(inner) and sends_plainly(type(inner))  # type: ignore[arg-type]
        return Transport(self._send_once, inner, is_plain=is_plain)

    def _send_once(self, request: PreparedRequest, arguments: SendArguments) -> Response:
        inner, in_flight = self.inner, current()
        if not isinstance(inner, HTTPAdapter):
            if arguments["timeout"] is None and in_flight is not None:
                # it has no pool of ours that would set the default
                arguments = {**arguments, "timeout": in_flight.timeouts}
        elif arguments["proxies"]:
            instrument_proxy(inner, str(request.url), arguments["proxies"])
        response: Response = inner.send(request, **arguments)
        response.connection = self
        return response
