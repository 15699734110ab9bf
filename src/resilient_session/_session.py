"""`resilient_session()`: resolve the options once, and replace all mounted adapters at once."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar, overload

import requests
from requests.adapters import HTTPAdapter

from resilient_session._adapter import LoggingHTTPAdapter, TimeoutHTTPAdapter
from resilient_session._call._continuing import OpenCalls
from resilient_session._config._options import REPLACED_BY_RETRY, Options
from resilient_session._config._settings import Settings, short_repr
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
    """Make a resilient `requests.Session`, or make an existing one resilient.

    It retries only what is safe to retry. The adapter of every mounted ``http://`` and ``https://`` prefix is
    replaced; headers, auth, cookies, hooks, certificates and proxies stay unchanged. Wrapping a session again with
    the same options changes nothing.

    Args:
        session: the session to wrap; None makes a new one.
        options: see `Options`. An omitted option is read from the environment variable
            ``RESILIENT_SESSION_<NAME>``, and otherwise has its default.

    Returns:
        `session`, or the new session.

    Raises:
        TypeError: `session` is not a session, or an option is unknown, has the wrong type, or is set together with
            `max_retries`, which replaces it.
        ValueError: the value of an option or a variable is out of range.
    """
    if session is None:
        return wrap(requests.Session(), options, keep_pools=False)
    if not isinstance(session, requests.Session):
        message = f"session={short_repr(session)}: must be a requests.Session instance or None"
        raise TypeError(message)
    return wrap(session, options, keep_pools=True)


def wrap(session: S, options: Options, *, keep_pools: bool) -> S:
    """Replace the adapter of every mounted http(s) prefix of a session, in one assignment.

    Args:
        session: the session; other threads may be using it.
        options: the options that the caller set.
        keep_pools: whether pool sizes that the caller did not set are copied from the old adapters.
    """
    if type(session).get_adapter is not requests.Session.get_adapter:
        message = f"{type(session).__name__} overrides get_adapter() and may bypass the resilient adapters"
        warnings.warn(message, UserWarning, stacklevel=4)
    if isinstance(vars(session).get(_GET_ADAPTER), WrapOnFirstUse):
        del vars(session)[_GET_ADAPTER]
    mounting = Mounting(options, keep_pools=keep_pools)
    session.adapters = OrderedDict(
        (prefix, mounting.resilient(adapter) if _is_http(prefix) else adapter)
        for prefix, adapter in list(session.adapters.items())
    )
    return session


class WrapOnFirstUse:
    """Replaces the `get_adapter` of a session until its first request, which wraps the session again."""

    def __init__(self, session: requests.Session, options: Options) -> None:
        self._session = session
        self._options = options

    @classmethod
    def install_on(cls, session: requests.Session, options: Options) -> None:
        """Wrap a session again on its first request, unless it is wrapped explicitly before."""
        vars(session)[_GET_ADAPTER] = cls(session, options)

    def __call__(self, url: str) -> BaseAdapter:
        return wrap(self._session, self._options, keep_pools=True).get_adapter(url)


_GET_ADAPTER = "get_adapter"


class Mounting:
    """Maps the adapters of one session to resilient ones.

    Args:
        options: the options that the caller set.
        keep_pools: whether pool sizes that the caller did not set are copied from the old adapters.
    """

    def __init__(self, options: Options, *, keep_pools: bool) -> None:
        self._options = options
        self._keep_pools = keep_pools
        self._settings = Settings.of(options)
        self._calls = OpenCalls()
        self._replacements: dict[int, BaseAdapter] = {}

    def resilient(self, adapter: BaseAdapter) -> BaseAdapter:
        """Return the replacement of an adapter; an adapter mounted twice gets one replacement."""
        if id(adapter) not in self._replacements:
            self._replacements[id(adapter)] = self._replacement(adapter)
        return self._replacements[id(adapter)]

    def _replacement(self, adapter: BaseAdapter) -> BaseAdapter:
        if isinstance(adapter, TimeoutHTTPAdapter):
            return self._reconfigured(adapter)
        cls = TimeoutHTTPAdapter if self._settings.values["logger"] is None else LoggingHTTPAdapter
        if type(adapter) is HTTPAdapter:
            return cls.with_settings(self._adopted_settings(adapter), self._calls)
        return DrivenHTTPAdapter.around(adapter, self._adopted_settings(adapter), self._calls)

    def _reconfigured(self, adapter: TimeoutHTTPAdapter) -> BaseAdapter:
        if type(adapter) is TimeoutHTTPAdapter and self._options.get("logger") is not None:
            return LoggingHTTPAdapter.with_settings(adapter.settings.changed(self._options), self._calls)
        adapter.reconfigure(self._options)
        adapter.share_calls(self._calls)
        return adapter

    def _adopted_settings(self, adapter: BaseAdapter) -> Settings:
        """Resolve the options, with retries and pool sizes of the old adapter unless the caller sets them."""
        retries = getattr(adapter, "max_retries", None)
        adopted: dict[str, object] = {}
        replaced = self._options.keys() & {*REPLACED_BY_RETRY, "max_retries"}
        if retries is not None and not is_stock(retries) and not replaced:
            adopted["max_retries"] = retries
        if self._keep_pools and isinstance(adapter, HTTPAdapter):
            adopted |= {name: getattr(adapter, f"_{name}") for name in _POOLS}
            for name in ("pool_connections", "pool_maxsize"):
                adopted[name] = max(1, adopted[name])  # type: ignore[call-overload]  # requests accepts 0 as well
        return Settings.of({**adopted, **self._options}) if adopted else self._settings


_POOLS = ("pool_connections", "pool_maxsize", "pool_block")


def _is_http(prefix: str) -> bool:
    """Return whether an http or https URL can match a mounted prefix; an empty prefix matches every URL."""
    schemes = ("http://", "https://")
    return prefix.lower().startswith(schemes) or any(scheme.startswith(prefix.lower()) for scheme in schemes)
