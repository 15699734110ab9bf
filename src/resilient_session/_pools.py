"""Finding the pool of a request again, without putting its key together anew.

For each request, `requests` and urllib3 take the URL apart and fill a key of thirty fields, to find the pool that
the last request found. Here the key is remembered. The pool is still asked for from its manager, which may have
dropped it; and whoever has a say in how pools are found (a subclass, a patch, a manager's settings) is heard.
"""

from __future__ import annotations

import functools
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import port_by_scheme

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    import urllib3
    from requests import PreparedRequest

    Place: TypeAlias = tuple[str, bool | str, bool]

_MOST = 256
"""Keys that are kept; whoever has more hosts than that has the cost of `requests`."""

_ATTRIBUTES = "build_connection_pool_key_attributes"
"""How `requests` tells pools apart; a seam that came with 2.32.3."""

_METHODS = ("get_connection_with_tls_context", _ATTRIBUTES, "request_url")


def _seams() -> tuple[Any, ...]:
    """Return all that has a say in how a pool is found."""
    adapter: Any = HTTPAdapter
    return (
        adapter.get_connection_with_tls_context,
        getattr(adapter, _ATTRIBUTES, None),
        adapter.request_url,
        PoolManager.connection_from_host,
        PoolManager.connection_from_context,
        PoolManager.connection_from_pool_key,
    )


_STOCK = _seams()
_ARE_STOCK = {getattr(seam, "__module__", None) for seam in _STOCK if seam} == {
    "requests.adapters",
    "urllib3.poolmanager",
}
"""Whether nobody had patched one of them when this was imported."""


class PoolingAdapter(HTTPAdapter):
    """An `HTTPAdapter` that finds the pools of its requests sooner, and all else as `requests` does."""

    _pools: KnownPools

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: bool | str | None,  # noqa: FBT001 - the signature of requests
        proxies: Mapping[str, str] | None = None,
        cert: str | tuple[str, str] | None = None,
    ) -> urllib3.HTTPConnectionPool:
        """Return the pool for a request, as `requests` does; sooner if it is known."""
        theirs: Any = super()
        usual = hasattr(self, _ATTRIBUTES) and not proxies and cert is None and _finds_as_requests_does(self)
        place = place_of(request.url, verify) if usual else None
        pool = None if place is None else self._pools.find(self.poolmanager, place)
        if pool is None:
            pool = theirs.get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
            if place is not None:
                host, settings = getattr(theirs, _ATTRIBUTES)(request, verify, cert)
                self._pools.learn(self.poolmanager, place, pool, {**settings, **host})
        return pool

    def request_url(self, request: PreparedRequest, proxies: dict[str, str] | None) -> str:
        """Return what is asked for, as `requests` does; where there are no proxies, none is looked for."""
        path = request.path_url
        if proxies or path.startswith("//") or not _finds_as_requests_does(self):
            return super().request_url(request, proxies)
        return path


def _finds_as_requests_does(adapter: HTTPAdapter) -> bool:
    """Tell whether nobody but `requests` and urllib3 has a say in where an adapter's requests go."""
    alone = _stands_before_requests(type(adapter))  # type: ignore[arg-type]  # mypy doubts that classes hash
    return _ARE_STOCK and alone and _ATTRIBUTES not in vars(adapter) and _seams() == _STOCK


@functools.lru_cache(maxsize=256)
def _stands_before_requests(adapter_class: type[HTTPAdapter]) -> bool:
    """Tell whether no class has a say that comes after ours, or makes attributes of its own."""
    order = adapter_class.__mro__
    between = order[order.index(PoolingAdapter) + 1 : order.index(HTTPAdapter)]
    own = [name for cls in between for name in _METHODS if name in vars(cls)]
    return not own and getattr(adapter_class, _ATTRIBUTES, None) is getattr(HTTPAdapter, _ATTRIBUTES, None)


class _Known(NamedTuple):
    """The key of a pool, the manager that knows it, and how that made its keys then."""

    manager: ref[PoolManager]
    settings: dict[str, Any]
    makers: dict[str, Any]
    key: Any

    def holds_for(self, manager: PoolManager) -> bool:
        """Tell whether a manager would make the same key again."""
        same = self.manager() is manager and self.settings == manager.connection_pool_kw
        return same and self.makers == manager.key_fn_by_scheme


class KnownPools:
    """The keys of the pools that one adapter used."""

    def __init__(self) -> None:
        self._known: dict[Place, _Known] = {}

    def __reduce__(self) -> tuple[type[KnownPools], tuple[()]]:
        return type(self), ()

    def find(self, manager: PoolManager, place: Place) -> urllib3.HTTPConnectionPool | None:
        """Return the pool for a place, if it is known and its manager still has it."""
        known = self._known.get(place)
        return manager.pools.get(known.key) if known is not None and known.holds_for(manager) else None

    def learn(
        self, manager: PoolManager, place: Place, pool: urllib3.HTTPConnectionPool, attributes: Mapping[str, Any]
    ) -> None:
        """Remember the key of a pool.

        Args:
            manager: whose pool it is.
            place: where it leads to.
            pool: what `requests` found for the place.
            attributes: what `requests` tells pools apart by, and urllib3 makes a key of.
        """
        known = self._known.get(place)
        if type(manager) is not PoolManager or (known is not None and known.holds_for(manager)):
            return
        settings, makers = dict(manager.connection_pool_kw), dict(manager.key_fn_by_scheme)
        port = attributes["port"] or port_by_scheme.get(attributes["scheme"])
        with suppress(TypeError):  # of settings that no key holds, or that may change unseen, as a list may
            hash(tuple(settings.values()))
            key = makers[attributes["scheme"]]({**settings, **attributes, "port": port})
            if manager.pools.get(key) is pool:
                self._forget_if_full()
                self._known[place] = _Known(ref(manager), settings, makers, key)

    def _forget_if_full(self) -> None:
        if len(self._known) >= _MOST:
            self._known = {}


def place_of(url: str | None, verify: Any) -> Place | None:
    """Return what tells the pools of an adapter apart; None if it takes more than that to tell."""
    if url is None or not url.startswith(("http://", "https://")):
        return None
    end, is_path = url.find("/", len("https://")), type(verify) is str
    if end < 0 or "@" in url[:end] or not (is_path or verify is True or verify is False):
        return None
    return url[:end], verify, is_path and os.path.isdir(verify)  # noqa: PTH112 - as `requests` asks
