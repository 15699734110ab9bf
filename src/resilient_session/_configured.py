"""An adapter without its loop: how it is made from options, pickled, and renewed in a forked child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import urllib3

from resilient_session._call._continuing import OpenCalls
from resilient_session._config._settings import Settings
from resilient_session._config._signature import shows_options
from resilient_session._forks import renew_in_children
from resilient_session._policy._carried import retry_from, schedule_of
from resilient_session._policy._decision import Rules
from resilient_session._transport._hidden_retries import SEND_ONCE
from resilient_session._transport._in_flight import current
from resilient_session._transport._known_pools import KnownPools, PoolFindingAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self, Unpack

    from resilient_session._config._options import Options

POSITIONAL = ("pool_connections", "pool_maxsize", "max_retries", "pool_block")
"""The parameters that `HTTPAdapter` takes by position, as this class does."""

_POOLS = ("pool_connections", "pool_maxsize", "pool_block")


class ConfiguredHTTPAdapter(PoolFindingAdapter):
    """An `HTTPAdapter` that is made from the options of this library.

    Args:
        positional: the four parameters of `HTTPAdapter`, in its order.
        options: every option of the library, see `Options`.

    Raises:
        TypeError: an option is unknown, given twice, or of the wrong type.
        ValueError: the value of an option or a variable is out of range.
    """

    @shows_options("self", positional=POSITIONAL)
    def __init__(self, *positional: int | urllib3.Retry | None, **options: Unpack[Options]) -> None:
        self._set_up(Settings.of(_named(positional, options)), OpenCalls())

    @classmethod
    def with_settings(cls, settings: Settings, calls: OpenCalls) -> Self:
        """Make an adapter from resolved options, for a session whose adapters share their calls."""
        adapter = cls.__new__(cls)
        adapter._set_up(settings, calls)  # noqa: SLF001 - its own class
        return adapter

    def _set_up(self, settings: Settings, calls: OpenCalls) -> None:
        self._configure(settings, calls)
        options = settings.values
        super().__init__(
            pool_connections=options["pool_connections"],
            pool_maxsize=options["pool_maxsize"],
            max_retries=retry_from(options),
            pool_block=options["pool_block"],
        )

    def _configure(self, settings: Settings, calls: OpenCalls) -> None:
        self._settings = settings
        self._calls = calls
        self._known_pools = KnownPools()
        renew_in_children(self)

    def __getstate__(self) -> dict[str, Any]:
        """Keep the options in a pickle, even if a subclass has its own ``__attrs__``; they come first."""
        return {
            "_settings": self._settings,
            "_calls": self._calls,
            "_known_pools": self._known_pools,
            **super().__getstate__(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Begin anew in a forked child; the parent's objects are kept, because releasing them takes their locks."""
        self._of_parent: object = (self.poolmanager, self.proxy_manager)
        self.proxy_manager = {}
        self.init_poolmanager(self._pool_connections, self._pool_maxsize, block=self._pool_block)

    @property
    def max_retries(self) -> urllib3.Retry:
        """The `urllib3.Retry` with what is retried, how often and after what waits.

        Assign your own and it rules, as `max_retries=` does; a number means `total`. While this adapter sends once,
        for an attempt of its own loop, it reads as "no retries": the loop is the only one that retries.
        """
        in_flight = current()
        return SEND_ONCE if in_flight is not None and in_flight.sender is self else self._retry

    @max_retries.setter
    def max_retries(self, value: urllib3.Retry | int) -> None:
        if not isinstance(value, urllib3.Retry) or schedule_of(value) is None:
            self._settings = self._settings.changed({"max_retries": value})
        self._retry = value if isinstance(value, urllib3.Retry) else retry_from(self._settings.values)
        self._rules = Rules.of(self._settings.values)

    @property
    def settings(self) -> Settings:
        """The resolved options of this adapter."""
        return self._settings

    def reconfigure(self, options: Mapping[str, object]) -> None:
        """Change options; the others stay."""
        settings = self._settings.changed(options)
        repool = any(settings.values[name] != self._settings.values[name] for name in _POOLS)  # type: ignore[literal-required]
        self._settings = settings
        self.max_retries = retry_from(settings.values)
        if repool:
            self.close()
            self.proxy_manager = {}
            self.init_poolmanager(*(settings.values[name] for name in _POOLS))  # type: ignore[literal-required]

    def share_calls(self, calls: OpenCalls) -> None:
        """Keep a redirect from one adapter of a session to another in the same call."""
        self._calls = calls


def _named(positional: tuple[object, ...], options: Options) -> dict[str, object]:
    """Give positional arguments their names."""
    if len(positional) > len(POSITIONAL):
        message = f"{len(positional)} positional arguments: must be {', '.join(POSITIONAL)}; pass others by name"
        raise TypeError(message)
    named = dict(zip(POSITIONAL, positional, strict=False))
    twice = named.keys() & options.keys()
    if twice:
        message = f"{min(twice)}: given twice, by position and by name"
        raise TypeError(message)
    return {**named, **options}
