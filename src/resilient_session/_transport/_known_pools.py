"""Saves 6 % of a happy request's instructions (``benchmarks/instructions.py --only happy``).

For each request, `requests` and urllib3 parse the URL and build a key of thirty fields, to find the pool that the
last request found. Here the key is remembered. The manager still returns the pool, and may have dropped it. What
may change how pools are found (a subclass, a patch, a manager's settings) turns this off.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import ref

import requests.adapters
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import port_by_scheme

from resilient_session._named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    import urllib3
    from requests import PreparedRequest

    Place: TypeAlias = tuple[str, bool | str, bool]

_MOST = 256
"""Keys that are kept; with more hosts than that, finding a pool costs what it costs in `requests`."""

_ATTRIBUTES = "build_connection_pool_key_attributes"
"""The method of `requests` that tells pools apart; it came with 2.32.3."""

_METHODS = {
    name: getattr(HTTPAdapter, name)
    for name in ("get_connection_with_tls_context", _ATTRIBUTES, "request_url")
    if hasattr(HTTPAdapter, name)
}
"""The methods of `requests` that decide which pool a request uses."""


def _managing() -> tuple[Any, ...]:
    """Return the functions that decide which pool a request uses."""
    adapters: Any = requests.adapters
    return (
        PoolManager.connection_from_host,
        PoolManager.connection_from_context,
        PoolManager.connection_from_pool_key,
        adapters.select_proxy,
    )


_MANAGING = _managing()
_OWN = frozenset({"connection_from_host", "connection_from_context", "connection_from_pool_key"})


def are_defined_in(modules: set[str], functions: Iterable[object]) -> bool:
    """Whether functions were defined in these modules; whatever else somebody put in their place was not."""
    return modules.issuperset(getattr(one, "__globals__", {}).get("__name__") for one in functions)


_ARE_STOCK = are_defined_in(
    {"requests.adapters", "requests.utils", "urllib3.poolmanager"}, (*_METHODS.values(), *_MANAGING)
)
"""Whether none of these was patched when this module was imported."""


def _is_stock(method: Any, name: str) -> bool:
    """Whether a method is that of `requests`, not a subclass's and not a patch."""
    return _ARE_STOCK and name in _METHODS and getattr(method, "__func__", None) is _METHODS[name]


class PoolFindingAdapter(HTTPAdapter):
    """An `HTTPAdapter` that remembers the keys of its pools."""

    _known_pools: KnownPools

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: bool | str | None,  # noqa: FBT001 - the signature of requests
        proxies: Mapping[str, str] | None = None,
        cert: str | tuple[str, str] | None = None,
    ) -> urllib3.HTTPConnectionPool:
        """Return the pool for a request, as `requests` does."""
        find: Any = super().get_connection_with_tls_context
        attributes_of: Any = getattr(self, _ATTRIBUTES, None)
        usual = _is_stock(find, "get_connection_with_tls_context") and _is_stock(attributes_of, _ATTRIBUTES)
        place = place_of(request.url, verify) if usual and not proxies and cert is None else None
        pool = None if place is None else self._known_pools.find(self.poolmanager, place)
        if pool is None:
            pool = find(request, verify, proxies=proxies, cert=cert)
            if place is not None and self._known_pools.meet(place):
                host, settings = attributes_of(request, verify, cert)
                self._known_pools.learn(self.poolmanager, place, pool, {**settings, **host})
        return pool

    def request_url(self, request: PreparedRequest, proxies: dict[str, str] | None) -> str:
        """Return the request target, as `requests` does; without proxies, it skips the search for one."""
        target_of = super().request_url
        path = request.path_url
        if proxies or path.startswith("//") or not _is_stock(target_of, "request_url"):
            return target_of(request, proxies)
        return path


class _Known(NamedTuple):
    """The key of a pool, its manager, and how that manager made keys at that time."""

    manager: ref[PoolManager]
    settings: dict[str, Any]
    makers: dict[str, Any]
    key: Any

    def holds_for(self, manager: PoolManager) -> bool:
        """Whether a manager would make the same key again."""
        return (
            self.manager() is manager
            and self.settings == manager.connection_pool_kw
            and self.makers == manager.key_fn_by_scheme
            and _managing() == _MANAGING
            and _OWN.isdisjoint(vars(manager))
        )


class KnownPools:
    """The keys of the pools that one adapter used."""

    def __init__(self) -> None:
        self._known: dict[Place, _Known | None] = {}

    def __reduce__(self) -> tuple[type[KnownPools], tuple[()]]:
        return type(self), ()

    def find(self, manager: PoolManager, place: Place) -> urllib3.HTTPConnectionPool | None:
        """Return the pool for a place, if its key is known and its manager still has it."""
        known = self._known.get(place)
        return manager.pools.get(known.key) if known is not None and known.holds_for(manager) else None

    def meet(self, place: Place) -> bool:
        """Remember a place; return whether it was met before: a session for one call need not learn its key."""
        if place in self._known:
            return True
        if len(self._known) >= _MOST:
            self._known = {}
        self._known[place] = None
        return False

    def learn(
        self, manager: PoolManager, place: Place, pool: urllib3.HTTPConnectionPool, attributes: Mapping[str, Any]
    ) -> None:
        """Remember the key of a pool.

        Args:
            manager: whose pool it is.
            place: the scheme, host, port and trust settings.
            pool: the pool that `requests` found for it.
            attributes: the attributes from which urllib3 makes a key.
        """
        known = self._known.get(place)
        if type(manager) is not PoolManager or (known is not None and known.holds_for(manager)):
            return
        settings, makers = dict(manager.connection_pool_kw), dict(manager.key_fn_by_scheme)
        port = attributes["port"] or port_by_scheme.get(attributes["scheme"])
        with suppress(TypeError):  # some settings fit no key, or may change unnoticed, as a list may
            hash(tuple(settings.values()))
            key = makers[attributes["scheme"]]({**settings, **attributes, "port": port})
            if manager.pools.get(key) is pool:
                self._known[place] = _Known(ref(manager), settings, makers, key)


def place_of(url: str | None, verify: Any) -> Place | None:
    """Return what tells the pools of an adapter apart; None if more than that is needed."""
    if url is None or not url.startswith(("http://", "https://")):
        return None
    end, is_path = url.find("/", len("https://")), type(verify) is str
    if end < 0 or "@" in url[:end] or not (is_path or verify is True or verify is False):
        return None
    return url[:end], verify, is_path and os.path.isdir(verify)  # noqa: PTH112 - as `requests` asks
