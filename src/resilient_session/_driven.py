"""Adapters of other makers, kept and driven: our loop calls them once for each attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

from resilient_session._adapter import LoggingHTTPAdapter
from resilient_session._single_shot import single_shot

if TYPE_CHECKING:
    from requests import PreparedRequest, Response
    from requests.adapters import BaseAdapter
    from typing_extensions import Self

    from resilient_session._call._call import OpenCalls
    from resilient_session._config._settings import Settings
    from resilient_session._hop import Sending


class DrivenHTTPAdapter(LoggingHTTPAdapter):
    """The loop around an adapter that does something of its own: a cache, a TLS context, a Unix socket.

    Attributes:
        inner: the adapter that sends. Its own retries are out of sight while it does.
    """

    inner: Any = None

    @classmethod
    def around(cls, inner: BaseAdapter, settings: Settings, calls: OpenCalls) -> Self:
        """Drive an adapter."""
        adapter = cls.with_settings(settings, calls)
        adapter.inner = inner
        adapter._believes = isinstance(inner, HTTPAdapter)  # noqa: SLF001 - its own class
        return adapter

    def __getattr__(self, name: str) -> Any:
        """Show the attributes that are the inner adapter's own."""
        return getattr(self.inner, name)

    def __getstate__(self) -> dict[str, Any]:
        """Keep the inner adapter in a pickle."""
        return {**super().__getstate__(), "inner": self.inner, "_believes": self._believes}

    def close(self) -> None:
        """Close the inner adapter's connections."""
        self.inner.close()
        super().close()

    def _send_once(self, request: PreparedRequest, sending: Sending) -> Response:
        once = single_shot(self.inner) if isinstance(self.inner, HTTPAdapter) else self.inner
        response: Response = once.send(request, **sending)
        response.connection = self
        return response
