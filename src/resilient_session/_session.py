"""`resilient_session()`: the options, read once, and the adapters, mounted at once."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar, overload

import requests
from requests.adapters import HTTPAdapter

from resilient_session._adapter import LoggingHTTPAdapter, TimeoutHTTPAdapter
from resilient_session._call._continuing import OpenCalls
from resilient_session._config._options import RULED, Options
from resilient_session._config._settings import Settings, shown
from resilient_session._config._signature import shows_options
from resilient_session._driven import DrivenHTTPAdapter
from resilient_session._policy._carried import is_stock

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter
    from typing_extensions import Unpack

S = TypeVar("S", bound=requests.Session)


@overload
def resilient_session(session: None = None, **options: Unpack[Options]) -> requests.Session: ...
@overload
def resilient_session(session: S, **options: Unpack[Options]) -> S: ...
@shows_options("session")
def resilient_session(session: requests.Session | None = None, **options: Unpack[Options]) -> requests.Session:
    """Make a `requests.Session` that retries what is safe to retry, or make one that you have so.

    Every ``http://`` and ``https://`` prefix that is mounted on the session becomes resilient. Its headers, auth,
    cookies, hooks, certificates and proxies stay as they are. To do it twice changes nothing.

    Args:
        session: the session to wrap; None makes a new one.
        options: every option of the library, see `Options`. One that is left out is read from the variable
            ``RESILIENT_SESSION_<NAME>``, or else has its default.

    Returns:
        The session that was given, or the new one.

    Raises:
        TypeError: `session` is no session, or an option is unknown, given twice, or of the wrong type.
        ValueError: the value of an option or a variable is out of range.
    """
    if session is None:
        return wrap(requests.Session(), options, keep_pools=False)
    if not isinstance(session, requests.Session):
        message = f"session={shown(session)}: give a requests.Session, made already, or None for a new one"
        raise TypeError(message)
    return wrap(session, options, keep_pools=True)


def wrap(session: S, options: Options, *, keep_pools: bool) -> S:
    """Make every http(s) prefix that is mounted on a session resilient, at once.

    Args:
        session: the session; other threads may be using it.
        options: the options that the caller gave.
        keep_pools: whether sizes of pools that the caller did not give are taken from the old adapters.
    """
    if type(session).get_adapter is not requests.Session.get_adapter:
        message = f"{type(session).__name__} overrides get_adapter(), and may send without what is mounted here"
        warnings.warn(message, UserWarning, stacklevel=4)
    if isinstance(vars(session).get(_GET_ADAPTER), WrapsAgain):
        del vars(session)[_GET_ADAPTER]
    mounting = Mounting(options, keep_pools=keep_pools)
    session.adapters = OrderedDict(
        (prefix, mounting.resilient(adapter) if _is_http(prefix) else adapter)
        for prefix, adapter in list(session.adapters.items())
    )
    return session


class WrapsAgain:
    """Stands in for the `get_adapter` of a session that is to be wrapped once more, when it is used first."""

    def __init__(self, session: requests.Session, options: Options) -> None:
        self._session = session
        self._options = options

    @classmethod
    def when_used(cls, session: requests.Session, options: Options) -> None:
        """Have a session wrapped once more, unless somebody wraps it before."""
        vars(session)[_GET_ADAPTER] = cls(session, options)

    def __call__(self, url: str) -> BaseAdapter:
        return wrap(self._session, self._options, keep_pools=True).get_adapter(url)


_GET_ADAPTER = "get_adapter"


class Mounting:
    """Turns the adapters of one session into resilient ones.

    Args:
        options: the options that the caller gave.
        keep_pools: whether sizes of pools that the caller did not give are taken from the old adapters.
    """

    def __init__(self, options: Options, *, keep_pools: bool) -> None:
        self._options = options
        self._keep_pools = keep_pools
        self._settings = Settings.of(options)
        self._calls = OpenCalls()
        self._made: dict[int, BaseAdapter] = {}

    def resilient(self, adapter: BaseAdapter) -> BaseAdapter:
        """Return what takes the place of an adapter; the same for the same."""
        if id(adapter) not in self._made:
            self._made[id(adapter)] = self._replacement(adapter)
        return self._made[id(adapter)]

    def _replacement(self, adapter: BaseAdapter) -> BaseAdapter:
        if isinstance(adapter, TimeoutHTTPAdapter):
            return self._reconfigured(adapter)
        cls = TimeoutHTTPAdapter if self._settings.values["logger"] is None else LoggingHTTPAdapter
        if type(adapter) is HTTPAdapter:
            return cls.with_settings(self._adopted(adapter), self._calls)
        return DrivenHTTPAdapter.around(adapter, self._adopted(adapter), self._calls)

    def _reconfigured(self, adapter: TimeoutHTTPAdapter) -> BaseAdapter:
        if type(adapter) is TimeoutHTTPAdapter and self._options.get("logger") is not None:
            return LoggingHTTPAdapter.with_settings(adapter.settings.changed(self._options), self._calls)
        adapter.reconfigure(self._options)
        adapter.share_calls(self._calls)
        return adapter

    def _adopted(self, adapter: BaseAdapter) -> Settings:
        """Take over what the old adapter was told, unless the caller says otherwise."""
        retries = getattr(adapter, "max_retries", None)
        adopted: dict[str, object] = {}
        if retries is not None and not is_stock(retries) and not self._options.keys() & {*RULED, "max_retries"}:
            adopted["max_retries"] = retries
        if self._keep_pools and isinstance(adapter, HTTPAdapter):
            adopted |= {name: getattr(adapter, f"_{name}") for name in _POOLS}
            for name in ("pool_connections", "pool_maxsize"):
                adopted[name] = max(1, adopted[name])  # type: ignore[call-overload]  # requests takes 0 as well
        return Settings.of({**adopted, **self._options}) if adopted else self._settings


_POOLS = ("pool_connections", "pool_maxsize", "pool_block")


def _is_http(prefix: str) -> bool:
    """Tell whether URLs of http or https can match a mounted prefix; an empty one matches all."""
    schemes = ("http://", "https://")
    return prefix.lower().startswith(schemes) or any(scheme.startswith(prefix.lower()) for scheme in schemes)
