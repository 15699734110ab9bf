"""An adapter without its loop: how it is made from options, pickled, and renewed in a forked child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from weakref import ref

import urllib3
from requests.adapters import HTTPAdapter

from resilient_session._call._call import Call
from resilient_session._config._options import REPLACED_BY_RETRY, TABLE
from resilient_session._config._override import are_there, overrides
from resilient_session._config._settings import Settings
from resilient_session._config._signature import shows_options
from resilient_session._forks import renew_in_children
from resilient_session._limits._limits import Limits
from resilient_session._listeners import Listeners
from resilient_session._policy._carried import changed, options_from, retry_from, schedule_of
from resilient_session._policy._decision import Rules
from resilient_session._transport._hidden_retries import SEND_ONCE
from resilient_session._transport._in_flight import current
from resilient_session._transport._known_pools import KnownPools
from resilient_session._transport._late_response import LateAdapter
from resilient_session._transport._pools import SIZES, renewed, sizes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests import PreparedRequest, Session
    from typing_extensions import Self, Unpack

    from resilient_session._config._options import Options
    from resilient_session._events import Event

POSITIONAL = ("pool_connections", "pool_maxsize", "max_retries", "pool_block")
"""The parameters that `HTTPAdapter` takes by position, as this class does."""


class ConfiguredHTTPAdapter(LateAdapter):
    """An `HTTPAdapter` that is made from the options of this library.

    Args:
        positional: the four parameters of `HTTPAdapter`, in its order.
        options: every option of the library, see `Options`. Others are passed on to the class that comes next in
            line, if it is not `HTTPAdapter` itself.

    Raises:
        TypeError: an option is unknown, given twice, or of the wrong type.
        ValueError: the value of an option or a variable is out of range.
    """

    _session: ref[Session] | None = None
    """The session on which the factory mounted the adapter."""

    @shows_options("self", positional=POSITIONAL)
    def __init__(self, *positional: int | urllib3.Retry | None, **options: Unpack[Options]) -> None:
        named, others = self._split(_named(positional, options))
        self._set_up(Settings.of(named), others)

    def _split(self, options: dict[str, object]) -> tuple[dict[str, object], dict[str, object]]:
        """Separate the options from the keywords of a class that is mixed in after ours."""
        following = super().__init__.__func__  # type: ignore[attr-defined]  # a bound method has it
        others = options.keys() - TABLE.keys() if following is not HTTPAdapter.__init__ else set()
        return {name: options[name] for name in options if name not in others}, {n: options[n] for n in others}

    @classmethod
    def with_settings(cls, settings: Settings) -> Self:
        """Make an adapter from resolved options."""
        adapter = cls.__new__(cls)
        adapter._set_up(settings, {})  # noqa: SLF001 - its own class
        return adapter

    def _set_up(self, settings: Settings, others: dict[str, object]) -> None:
        self._configure(settings)
        options = settings.values
        self._made = retry_from(options)
        super().__init__(
            pool_connections=options["pool_connections"],
            pool_maxsize=options["pool_maxsize"],
            max_retries=self._made,
            pool_block=options["pool_block"],
            **others,
        )
        renew_in_children(self)

    def _configure(self, settings: Settings) -> None:
        self._settings = settings
        self._limits = limits_of(settings.values)
        self._known_pools = KnownPools()

    def _new_call(self, request: PreparedRequest, report: Callable[[Event], object] | None) -> Call:
        session = None if self._session is None else self._session()
        jar = None if session is None else session.cookies
        options = self._settings.values
        if are_there():
            settings, retries = self.ruling()
            options = settings.values
            listeners = Listeners(options, report, request)
            return Call(options, retries, Rules.of(options), limits_of(options), listeners, jar)
        listeners = Listeners(options, report, request)
        return Call(options, self.max_retries, self._rules, self._limits, listeners, jar)

    def ruling(self) -> tuple[Settings, urllib3.Retry]:
        """Return the settings and the Retry that rule a call that begins here, `override()` included."""
        options = overrides()
        if isinstance(options.get("max_retries"), int):
            options["total"] = options["max_retries"]
        settings = self._settings.overridden(options)
        return settings, changed(self.max_retries, options, settings.values)

    def bind(self, session: Session) -> None:
        """Let the adapter know the session it is mounted on, unless it knows one."""
        if self._session is None:
            self._session = ref(session)

    def reconfigured(self, options: Mapping[str, object], as_class: type[Self] | None = None) -> Self:
        """Return an adapter with changed options and the pools of this one, which stays as it is."""
        cls = as_class or type(self)
        twin = cls.__new__(cls)
        vars(twin).update(vars(self), _session=None)
        for slot in _slots(type(self)):
            if hasattr(self, slot):
                object.__setattr__(twin, slot, getattr(self, slot))
        twin._configure(self._settings.changed(options))  # noqa: SLF001 - its own class
        values = twin.settings.values
        if options.keys() & {*REPLACED_BY_RETRY, "max_retries"}:
            twin.max_retries = retry_from(values)
        else:
            twin._rules = Rules.of(values)  # noqa: SLF001
        twin._renew_pools([values[name] for name in SIZES])  # type: ignore[literal-required]  # noqa: SLF001
        renew_in_children(twin)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Keep the options in a pickle, even if a subclass has its own ``__attrs__``; they come first."""
        return {
            "_settings": self._settings,
            "_known_pools": self._known_pools,
            **super().__getstate__(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._limits = limits_of(self._settings.values)
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Begin anew in a forked child; the parent's objects are kept, because releasing them takes their locks."""
        self._of_parent: object = (self.poolmanager, self.proxy_manager)
        self.poolmanager, self.proxy_manager = renewed(self)

    def _renew_pools(self, sizes: list[Any]) -> None:
        """Replace the pools if their sizes change; what else they were set up with stays."""
        if sizes != list(sizes_of(self)):
            self._pool_connections, self._pool_maxsize, self._pool_block = sizes
            self.poolmanager, self.proxy_manager = renewed(self)

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
        if vars(self).pop("_made", self) is not value:  # else the constructor made it from these settings
            self._adopt(value)
        self._retry = value if isinstance(value, urllib3.Retry) else retry_from(self._settings.values)
        self._rules = Rules.of(self._settings.values)

    def _adopt(self, retries: urllib3.Retry | int) -> None:
        """Change the settings to what was assigned to `max_retries`."""
        if not isinstance(retries, urllib3.Retry) or schedule_of(retries) is None:
            self._settings = self._settings.changed({"max_retries": retries})
        else:
            options = options_from(retries, self._settings.values)
            if options:
                self._settings = self._settings.changed(options)

    def __repr__(self) -> str:
        """Show the options that are not default; functions and other objects by their names, and no secret."""
        shown = [
            f"{name}={_shown(value)}" for name, value in sorted(self._settings.values.items()) if self._is_set(name)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _is_set(self, name: str) -> bool:
        return self._settings.origins[name] not in {"default", "max_retries"}

    @property
    def limits(self) -> Limits:
        """The storm control of this adapter, without `override()`."""
        return self._limits

    @property
    def settings(self) -> Settings:
        """The resolved options of this adapter."""
        return self._settings


def _shown(value: object) -> str:
    """Return a value as a `repr` may show it: what an object shows of itself may be secret."""
    if isinstance(value, frozenset):
        return repr(sorted(value))
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))})"
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    return f"<{getattr(value, '__qualname__', None) or type(value).__qualname__}>"


def limits_of(options: Options) -> Limits:
    """Make the storm control that the options describe."""
    return Limits(
        retry_quota=options["retry_quota"],
        breaker=cast("Any", options["breaker"]),
        cool_down=options["cool_down"],
        rate_limit=cast("Any", options["rate_limit"]),
        store=cast("Any", options["store"]),
        group_by=options["group_by"],
        retry_after_max=options["retry_after_max"],
        clock=options["clock"],
    )


def _slots(cls: type) -> list[str]:
    """Return the slots of a subclass that has some beside its `__dict__`."""
    named = (vars(base).get("__slots__", ()) for base in cls.__mro__)
    slots = [slot for names in named for slot in ((names,) if isinstance(names, str) else names)]
    return [slot for slot in slots if slot not in {"__dict__", "__weakref__"}]


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
