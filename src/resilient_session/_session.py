"""`resilient_session()`: resolve the options once, and replace all mounted adapters at once."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar, overload

import requests

from resilient_session._adapter import TimeoutHTTPAdapter
from resilient_session._config._settings import Settings, short_repr
from resilient_session._config._signature import shows_options
from resilient_session._fast._session import FastSession
from resilient_session._mounting import Mounting, is_http

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter
    from typing_extensions import Unpack

    from resilient_session._config._options import Options

S = TypeVar("S", bound=requests.Session)


@overload
def resilient_session(session: None = None, **options: Unpack[Options]) -> ResilientSession: ...
@overload
def resilient_session(session: S, **options: Unpack[Options]) -> S: ...
@shows_options("session")
def resilient_session(session: requests.Session | None = None, **options: Unpack[Options]) -> requests.Session:
    """Make a `ResilientSession`, or make an existing one resilient.

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
        return ResilientSession(**options)
    if not isinstance(session, requests.Session):
        message = f"session={short_repr(session)}: must be a requests.Session instance or None"
        raise TypeError(message)
    return wrap(session, options, keep_pools=True)


class ResilientSession(FastSession):
    """A `requests.Session` that retries, and that prepares plain requests in about half the time.

    It makes of a request exactly what `requests.Session` makes of it, with the same errors; its adapters retry.

    Args:
        options: see `Options`. An omitted option is read from the environment variable
            ``RESILIENT_SESSION_<NAME>``, and otherwise has its default.

    Raises:
        TypeError: an option is unknown, has the wrong type, or is set together with `max_retries`, which replaces
            it.
        ValueError: the value of an option or a variable is out of range.
    """

    @shows_options("self")
    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__()
        wrap(self, options, keep_pools=False)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for adapter in self.adapters.values():
            if isinstance(adapter, TimeoutHTTPAdapter):
                adapter.bind(self)


def wrap(session: S, options: Options, *, keep_pools: bool, keep_ours: bool = False) -> S:
    """Replace the adapter of every mounted http(s) prefix of a session, in one assignment.

    Args:
        session: the session; other threads may be using it.
        options: the options that the caller set.
        keep_pools: whether pool sizes that the caller did not set are copied from the old adapters.
        keep_ours: whether adapters of this library keep their options.
    """
    if type(session).get_adapter is not requests.Session.get_adapter:
        message = f"{type(session).__name__} overrides get_adapter() and may bypass the resilient adapters"
        warnings.warn(message, UserWarning, stacklevel=4)
    if isinstance(vars(session).get(_GET_ADAPTER), WrapOnFirstUse):
        vars(session).pop(_GET_ADAPTER, None)
    mounting = Mounting(session, {} if keep_ours else options, Settings.of(options), keep_pools=keep_pools)
    session.adapters = OrderedDict(
        (prefix, mounting.resilient(adapter) if is_http(prefix) else adapter)
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
        return wrap(self._session, self._options, keep_pools=True, keep_ours=True).get_adapter(url)


_GET_ADAPTER = "get_adapter"
