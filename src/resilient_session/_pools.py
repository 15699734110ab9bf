"""Finding the pool of a request again, by a key that was made once.

`requests` and urllib3 take a URL apart and put a key of some thirty fields together for each request, only to find
the pool that the last one found. The pool is still asked for from its manager, which may have dropped it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from weakref import ref

from urllib3.connection import port_by_scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from urllib3 import HTTPConnectionPool, PoolManager

MOST = 256
"""Keys that are kept; a manager keeps fewer pools, so whoever has more hosts gains nothing by more keys."""


class _Known(NamedTuple):
    """The key of a pool, and the manager that knows it."""

    manager: ref[PoolManager]
    key: Any


class PoolKeys:
    """The keys of the pools that one adapter used."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], _Known] = {}

    def __reduce__(self) -> tuple[type[PoolKeys], tuple[()]]:
        return type(self), ()

    def pool(
        self, manager: PoolManager, url: str, settings: Mapping[str, object], find: Callable[[], HTTPConnectionPool]
    ) -> HTTPConnectionPool:
        """Return the pool for a URL.

        Args:
            manager: whose pool it is.
            url: the URL of the request.
            settings: what the key holds beside the place and the manager's own settings.
            find: finds the pool in the way of `requests`.
        """
        place = url[: url.find("/", url.find("://") + 3)], *settings.values()
        known = self._known.get(place)
        if known is not None and known.manager() is manager:
            pool = manager.pools.get(known.key)
            if pool is not None:
                return pool
        pool = find()
        key = _key(manager, url, settings)
        if manager.pools.get(key) is pool:  # or something on the way makes keys of its own
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[place] = _Known(ref(manager), key)
        return pool


def _key(manager: PoolManager, url: str, settings: Mapping[str, object]) -> Any:
    """Return the key that urllib3 makes of a place."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    port = parts.port or port_by_scheme.get(scheme)
    context = {**manager.connection_pool_kw, **settings, "scheme": scheme, "host": parts.hostname, "port": port}
    return manager.key_fn_by_scheme[scheme](context)
