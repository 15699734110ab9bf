"""Pools that send once, and make connections of ours.

They are urllib3's own pool classes with a mixin, put where a manager looks for its pool classes: whatever else lies
between (proxies, SOCKS, a subclass) stays. While an attempt is in flight, a pool sends once, whatever `retries` it
is handed: the loop around the attempt is the only one that retries. Used directly, a pool does what urllib3 does.
"""

from __future__ import annotations

import copy
import functools
import threading
from contextlib import suppress
from operator import attrgetter
from queue import LifoQueue
from typing import TYPE_CHECKING, Any

import requests.adapters
from requests.adapters import HTTPAdapter
from requests.utils import prepend_scheme_if_needed, select_proxy
from urllib3 import PoolManager
from urllib3.util import Timeout

from resilient_session._forks import renew_in_children
from resilient_session._time import Timeouts
from resilient_session._transport._connections import connection_class
from resilient_session._transport._hidden_retries import SEND_ONCE
from resilient_session._transport._in_flight import current
from resilient_session._transport._mixin import mixed
from resilient_session._transport._places import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from resilient_session._transport._in_flight import InFlight


class ResilientPool:
    """A mixin for urllib3's pools."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pool: Any = self
        if type(pool.pool) is Places:
            pool.pool.belong_to(pool)

    @property
    def ConnectionCls(self) -> type:  # noqa: N802 - urllib3's name
        """The connection class that is set at this moment, with our mixin if it is urllib3's own."""
        return connection_class(vars(self).get("ConnectionCls") or super().ConnectionCls)  # type: ignore[misc]

    @ConnectionCls.setter
    def ConnectionCls(self, value: type) -> None:  # noqa: N802
        vars(self)["ConnectionCls"] = value

    @property
    def QueueCls(self) -> type:  # noqa: N802 - urllib3's name
        """The class of the queue of connections: ours, in place of the one that urllib3 has."""
        cls: type = super().QueueCls  # type: ignore[misc]
        return Places if cls is LifoQueue and cls.__module__ == "queue" else cls  # gevent's has other insides

    def urlopen(self, *args: Any, **kwargs: Any) -> Any:
        """Send once, with the default timeouts where nobody on the way set any."""
        in_flight = current()
        if in_flight is not None:
            kwargs["retries"] = SEND_ONCE
            in_flight.pool = self
            if in_flight.default_timeouts:
                kwargs["timeout"] = _timeout(in_flight, kwargs.get("timeout"))
            if self.block and kwargs.get("pool_timeout") is None:  # type: ignore[attr-defined]
                kwargs["pool_timeout"] = in_flight.clamp(in_flight.timeouts.connect)  # `requests` sets no limit
        return super().urlopen(*args, **kwargs)  # type: ignore[misc]


def _timeout(in_flight: InFlight, given: object) -> object:
    """Return the timeout of an attempt whose call gave none; an adapter on the way may have its own default."""
    if not isinstance(given, Timeout) or (given.total, given.connect_timeout, given.read_timeout) == _NO_LIMITS:
        return _in_urllib3s_terms(in_flight.timeouts)
    in_flight.timeouts = Timeouts.of(given)
    return given


_NO_LIMITS = (None, None, None)


@functools.lru_cache(maxsize=64)
def _in_urllib3s_terms(timeouts: Timeouts) -> Timeout:
    return Timeout(connect=timeouts.connect, read=timeouts.read)


@functools.lru_cache(maxsize=64)
def _pool_class(base: type) -> type:
    return base if issubclass(base, ResilientPool) else mixed(ResilientPool, base)


def _classes(manager: PoolManager) -> dict[str, type]:
    """Return the pool classes of a manager, with our mixin."""
    return {scheme: _pool_class(pool) for scheme, pool in manager.pool_classes_by_scheme.items()}


def instrument(manager: PoolManager) -> None:
    """Have a manager make pools of ours from now on; it discards those it made before."""
    for pool in manager.pool_classes_by_scheme.values():
        if not issubclass(pool, ResilientPool):
            _instrumenting.of(manager)
            return


class _Instrumenting:
    """Instruments one manager at a time: a thread must not clear the pools that another is using already."""

    def __init__(self) -> None:
        self.renew_after_fork()
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        self._lock = threading.Lock()

    def of(self, manager: PoolManager) -> None:
        with self._lock:
            classes = _classes(manager)
            if classes != manager.pool_classes_by_scheme:
                manager.clear()
                manager.pool_classes_by_scheme = classes


_instrumenting = _Instrumenting()


def instrument_proxy(adapter: HTTPAdapter, url: str, proxies: Mapping[str, str]) -> None:
    """Instrument the manager of the proxy that an adapter is about to use; it makes it now if it has none yet."""
    proxy = select_proxy(url, dict(proxies))
    if proxy:
        with suppress(Exception):  # the adapter's own send() raises it in a moment
            instrument(adapter.proxy_manager_for(prepend_scheme_if_needed(proxy, "http")))


SIZES = ("pool_connections", "pool_maxsize", "pool_block")
_sizes: Callable[[HTTPAdapter], tuple[Any, ...]] = attrgetter(*(f"_{name}" for name in SIZES))
"""Names that are made for each look-up would fill the interpreter's cache of attributes, one entry each."""


def sizes_of(adapter: HTTPAdapter) -> tuple[Any, ...]:
    """Return what an adapter was told of its pools, in the order of `SIZES`; pickles of `requests` rely on it."""
    return _sizes(adapter)


def renewed(adapter: HTTPAdapter) -> tuple[PoolManager, dict[str, Any]]:
    """Return managers like those of an adapter, with everything they were set up with, but without its pools."""
    connections, maxsize, block = sizes_of(adapter)

    def empty(manager: PoolManager) -> PoolManager:
        twin = copy.copy(manager)
        twin.connection_pool_kw = {**manager.connection_pool_kw, "maxsize": maxsize, "block": block}
        twin.pools = type(manager.pools)(connections)
        return twin

    proxies = {proxy: empty(manager) for proxy, manager in list(adapter.proxy_manager.items())}
    return empty(adapter.poolmanager), proxies


def stock() -> HTTPAdapter:
    """Return an adapter as `requests` makes it at this moment, to compare others with, and for nothing else."""
    adapters: Any = requests.adapters
    makers = HTTPAdapter.__init__, HTTPAdapter.init_poolmanager, PoolManager.__init__
    return _made_by(*makers, adapters.DEFAULT_RETRIES)


@functools.lru_cache(maxsize=1)
def _made_by(*_makers: object) -> HTTPAdapter:
    return HTTPAdapter()


def is_as_constructed(adapter: HTTPAdapter) -> bool:
    """Whether an adapter is a stock one with which nothing was done that its constructor does not do."""
    if type(adapter) is not HTTPAdapter:
        return False
    sizes = connections, maxsize, block = sizes_of(adapter)
    is_usual = sizes == sizes_of(stock()) and not adapter.proxy_manager
    fresh = stock() if is_usual else HTTPAdapter(connections, maxsize, 0, block)
    if vars(adapter).keys() != vars(fresh).keys():
        return False
    pairs = [(adapter.poolmanager, fresh.poolmanager)]
    with suppress(Exception):  # a proxy that stock refuses
        pairs += [(manager, fresh.proxy_manager_for(proxy)) for proxy, manager in adapter.proxy_manager.items()]
    return all(_are_set_up_alike(*pair) for pair in pairs)


def _are_set_up_alike(manager: PoolManager, other: PoolManager) -> bool:
    """Whether two managers are equal but for the pools that they have."""
    if type(manager) is not type(other):
        return False
    if manager.pool_classes_by_scheme is not other.pool_classes_by_scheme and _classes(manager) != _classes(other):
        return False
    apart: dict[str, Any] = {"pools": None, "pool_classes_by_scheme": None}
    return {**vars(manager), **apart} == {**vars(other), **apart}
