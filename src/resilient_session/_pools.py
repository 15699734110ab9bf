"""Finding the pool of a request again, without putting its key together anew.

For each request, `requests` and urllib3 take the URL apart and fill a key of thirty fields, to find the pool that
the last request found. Here the key is remembered. The pool is still asked for from its manager, which may have
dropped it; and once the manager's settings are others, the key is made anew.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

from urllib3 import PoolManager
from urllib3.connection import port_by_scheme

if TYPE_CHECKING:
    from typing import TypeAlias

    from urllib3 import HTTPConnectionPool

    Place: TypeAlias = tuple[str, bool | str, bool]
    Settings: TypeAlias = dict[str, Any]

_MOST = 256
"""Keys that are kept. A manager keeps fewer pools, so whoever has more hosts gains nothing by more keys."""


class _Known(NamedTuple):
    """The key of a pool, the manager that knows it, and the settings that the manager had then."""

    manager: ref[PoolManager]
    settings: Settings
    key: Any


class KnownPools:
    """The keys of the pools that one adapter used."""

    def __init__(self) -> None:
        self._known: dict[Place, _Known] = {}

    def __reduce__(self) -> tuple[type[KnownPools], tuple[()]]:
        return type(self), ()

    def find(self, manager: PoolManager, place: Place) -> HTTPConnectionPool | None:
        """Return the pool for a place, if it is known and its manager still has it."""
        known = self._known.get(place)
        if known is None or known.manager() is not manager or known.settings != manager.connection_pool_kw:
            return None
        return manager.pools.get(known.key)

    def learn(
        self, manager: PoolManager, place: Place, pool: HTTPConnectionPool, attributes: tuple[Settings, Settings]
    ) -> None:
        """Remember the key of a pool.

        Args:
            manager: whose pool it is.
            place: where it leads to.
            pool: what `requests` found for the place.
            attributes: what `requests` tells pools apart by, and urllib3 makes a key of: host, and settings.
        """
        settings = dict(manager.connection_pool_kw)
        if type(manager) is not PoolManager or not _compares(settings):
            return
        host, asked = attributes
        port = host["port"] or port_by_scheme.get(host["scheme"], 80)
        key = manager.key_fn_by_scheme[host["scheme"]]({**settings, **asked, **host, "port": port})
        if manager.pools.get(key) is pool:
            if len(self._known) >= _MOST:
                self._known = {}
            self._known[place] = _Known(ref(manager), settings, key)


def place_of(url: str, verify: object) -> Place | None:
    """Return what tells the pools of an adapter apart; None if it takes more than that to tell."""
    end = url.find("/", url.find("://") + 3)
    if end < 0 or not (verify is True or verify is False or type(verify) is str):
        return None
    return url[:end], verify, type(verify) is str and os.path.isdir(verify)  # noqa: PTH112 - as `requests` asks


def _compares(settings: Settings) -> bool:
    """Tell whether settings can be compared with themselves later on: a list may have changed meanwhile."""
    try:
        hash(tuple(settings.values()))
    except TypeError:
        return False
    return True
