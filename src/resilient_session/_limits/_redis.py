"""Cool-downs and rate limits in a Redis or Valkey server, for many processes.

Shared is what a server requested, and what we promised to send at most. Each operation is one script on one key, so
that it is atomic, works in a cluster, and takes the store's own `TIME`: no two machines' clocks are compared. Every
key has a time to live, a version in its name, and a hash of the group instead of the group, which may be a secret.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

from resilient_session._config._kinds import Seconds
from resilient_session._config._limit_kinds import EXTRA, SCHEMES, StoreUrl, hide_password
from resilient_session._forks import renew_in_children
from resilient_session._limits._health import Health, NoTime, StoreAway
from resilient_session._limits._rate import with_slack
from resilient_session._limits._workers import Workers
from resilient_session._time import monotonic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from resilient_session._config._limit_kinds import Store
    from resilient_session._config._rate import Rate

VERSION = 1
"""Of what the keys hold; part of their names, so that versions of this library do not misread each other."""

COOL = """
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[1])
end
return 0
"""
"""Only ever lengthens a cool-down. The value is its whole length, in milliseconds."""

COOLING = """
return {redis.call('PTTL', KEYS[1]), tonumber(redis.call('GET', KEYS[1]) or '0')}
"""

TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local moment = math.max(now, tonumber(redis.call('LINDEX', KEYS[1], 0) or '0'))
local most, longest = 0, 0
for place = 2, #ARGV, 2 do
  local count, window = tonumber(ARGV[place]), tonumber(ARGV[place + 1])
  local last = redis.call('LINDEX', KEYS[1], count - 1)
  if last then moment = math.max(moment, tonumber(last) + window) end
  most, longest = math.max(most, count), math.max(longest, window)
end
local wait = moment - now
if wait > tonumber(ARGV[1]) then return {0, wait} end
redis.call('LPUSH', KEYS[1], string.format('%.0f', moment))
redis.call('LTRIM', KEYS[1], 0, most - 1)
redis.call('PEXPIRE', KEYS[1], math.ceil((wait + longest) / 1000) + 1000)
return {1, wait}
"""
"""A list of the last moments, the newest first, in microseconds of the store's clock."""

_SHARE = 0.5
"""Of the time that the call has left; an operation takes no more."""

_TELLING = 0.02
"""Seconds; an operation that had less than this and did not end says nothing about the store."""

_TIMEOUT = Seconds(above_zero=True)
_REFRESH = Seconds()
_MOST_SHARED = 64


class RedisStore:
    """Share cool-downs and rate limits between processes and machines, in a Redis or Valkey server.

    Pass it as the option `store`, with `cool_down=True`, `rate_limit=...` or both. A URL as the option is the
    same as a store with the default values. While the server is down, slow, read-only, restarting or full,
    calls go on with what this process knows: an operation takes `timeout` at most, and after two failures in a
    row the server is left alone for 1 s, doubling to 30 s.

    Args:
        url_or_client: ``redis://``, ``rediss://``, ``valkey://``, ``valkeys://`` or ``unix://``, with user,
            password,
            port, database and parameters as redis-py reads them; or a client of redis-py, such as
            `redis.RedisCluster`, or one that a `redis.Sentinel` made. The timeouts and retries of a client are its
            own; those of a URL are set so that an operation fails early.
        prefix: the beginning of every key; different for programs that shall not share.
        timeout: seconds, above 0; the longest that an operation takes, including the name and the connection.
        refresh: seconds; what was read about the cool-down of a group is not read again for so long. 0 reads it
            before every attempt.

    Raises:
        ImportError: the package `redis` is not installed.
        TypeError: an argument is of the wrong type, or the client is an asynchronous one.
        ValueError: an argument is out of range, or the URL malformed.
    """

    def __init__(
        self,
        url_or_client: Any,
        prefix: str = "resilient-session",
        timeout: float = 0.25,
        refresh: float = 0.1,
    ) -> None:
        if not isinstance(prefix, str):
            raise TypeError(f"RedisStore(prefix={prefix!r}): must be a string")
        self._given = url_or_client
        self._prefix = prefix
        self._timeout = cast("float", _checked("timeout", timeout, _TIMEOUT))
        self.refresh = cast("float", _checked("refresh", refresh, _REFRESH))
        self._client = _client_of(url_or_client, self._timeout)
        self._quickest = 0.0  # not known yet
        self._workers = Workers()
        self._health = Health()
        renew_in_children(self)

    def clear(self, group: str) -> None:
        """End the cool-down of a group for all processes; rate limits stay.

        Calls that begin later than `refresh` from now are sent. One that waits already goes on waiting.

        Args:
            group: what `group_by` returns, or the origin, such as ``https://api.example.com``.

        Raises:
            ConnectionError: the server cannot be used now.
        """
        try:
            self._run(lambda client: client.delete(self._key("cool", group)))
        except StoreAway:
            raise ConnectionError(f"{self!r} cannot be used now") from None

    def cool(self, group: str, seconds: float) -> None:
        """Start the cool-down of a group, or lengthen it."""
        milliseconds = max(1, round(seconds * 1000))
        self._run(lambda client: client.eval(COOL, 1, self._key("cool", group), milliseconds))

    def cooling(self, group: str, within: float | None) -> tuple[float, float]:
        """Return the seconds that are left of a cool-down, and its whole length; zeros if there is none."""
        key = self._key("cool", group)
        left, length = self._run(lambda client: _two_numbers(client.eval(COOLING, 1, key)), within)
        return left / 1e3, length / 1e3

    def take(
        self, group: str, rates: Iterable[Rate], most: float, within: float | None
    ) -> tuple[float, bool, float]:
        """Hand out the next moment: the seconds until then, if it was handed out, how late the reply is."""
        limits = [(rate.number, round(with_slack(rate.seconds) * 1e6)) for rate in rates]
        key = self._key("rate", f"{group}\0{limits}")
        arguments = (int(most * 1e6), *(number for limit in limits for number in limit))
        began = monotonic()
        granted, wait = self._run(lambda client: _two_numbers(client.eval(TAKE, 1, key, *arguments)), within)
        took = monotonic() - began
        late = took - self._quickest if self._quickest else took
        self._quickest = min(took, self._quickest or took)
        return wait / 1e6, bool(granted) and wait <= arguments[0], max(0.0, late)

    def news(self) -> list[tuple[str, str, float]]:
        """Return what happened to the server since the last call."""
        return self._health.news()

    def renew_after_fork(self) -> None:
        """Give a forked child connections and threads of its own."""
        self._workers.renew()
        self._health.renew()
        if isinstance(self._given, str):
            self._client = _client_of(self._given, self._timeout)

    def __repr__(self) -> str:
        given = self._given
        shown = repr(hide_password(given)) if isinstance(given, str) else f"<{type(given).__name__}>"
        return f"RedisStore({shown}, prefix={self._prefix!r}, timeout={self._timeout!r}, refresh={self.refresh!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._given, self._prefix, self._timeout, self.refresh)

    def _run(self, operation: Callable[[Any], Any], within: float | None = None) -> Any:
        """Return what an operation returns.

        Raises:
            StoreAway: it failed, or the store is left alone.
            NoTime: it did not end within the time that the call has.
        """
        timeout = self._timeout if within is None else min(self._timeout, _SHARE * within)
        if timeout <= 0:
            raise NoTime
        ticket = self._health.admit(timeout)
        client = self._client
        try:
            result = self._workers.run(lambda: operation(client), timeout)
        except Exception as error:  # noqa: BLE001 - whatever a client, a server or a proxy comes up with
            if timeout >= _TELLING or not isinstance(error, TimeoutError):
                self._health.failed(ticket, type(error).__name__)
            raise (NoTime if timeout < self._timeout and isinstance(error, TimeoutError) else StoreAway) from None
        self._health.worked(ticket)
        return result

    def _key(self, kind: str, what: str) -> str:
        digest = hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return f"{self._prefix}:{VERSION}:{kind}:{digest}"


def _two_numbers(reply: Any) -> tuple[int, int]:
    """Read the reply of a script; raise what is no such reply as any failure of the store."""
    if not isinstance(reply, list):
        raise TypeError
    first, second = reply
    return max(0, int(first)), max(0, int(second))


def _checked(name: str, value: object, kind: Seconds) -> object:
    try:
        return kind.validate(value)
    except (TypeError, ValueError) as refusal:
        raise type(refusal)(f"RedisStore({name}={value!r}): must be {kind.accepted}") from None


def _client_of(given: Any, timeout: float) -> Any:
    """Return a client; those that we make give up early."""
    if not isinstance(given, str):
        if not callable(getattr(given, "eval", None)):
            raise TypeError("RedisStore: must be given a URL, or a client of the package redis")
        if "asyncio" in type(given).__module__:
            raise TypeError("RedisStore: must not be given an asynchronous client")
        return given
    scheme, separator, rest = given.partition("://")
    if scheme not in SCHEMES or not separator:
        accepted = ", ".join(f"{one}://" for one in SCHEMES)
        raise ValueError(f"RedisStore({hide_password(given)!r}): must be a URL that begins with {accepted}")
    try:
        import redis  # noqa: PLC0415 - an extra
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415
    except ImportError:
        raise ImportError(f"RedisStore needs the package redis; {EXTRA}") from None
    try:
        return redis.Redis.from_url(
            scheme.replace("valkey", "redis") + separator + rest,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
        )
    except (ValueError, TypeError):
        raise ValueError(f"RedisStore({hide_password(given)!r}): the URL is malformed") from None


_shared: dict[StoreUrl, RedisStore] = {}
"""The stores of URLs: one connection for all sessions of the process, which may live for one call each."""


def store_of(place: StoreUrl | Store | None) -> Store | None:
    """Return the store of a value of the option."""
    if not isinstance(place, StoreUrl):
        return place
    if place not in _shared:
        if len(_shared) >= _MOST_SHARED:
            _shared.clear()
        _shared.setdefault(place, RedisStore(place.url))
    return _shared[place]
