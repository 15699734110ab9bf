"""Who is told of a call: observers of every event, and the log.

Nobody listening costs nothing: an event that only observers would see is not made without them. What a listener
raises is logged and does not end the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from resilient_session._logging import drop, dropping, log_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from requests import PreparedRequest

    from resilient_session._config._options import Options
    from resilient_session._events import Attempt, Event

    Finishers: TypeAlias = Sequence[Callable[[Attempt], object]]


_everywhere: tuple[Observer, ...] = ()
"""Observers of every call of the process."""


def observe_everywhere(observer: Observer) -> None:
    """Let an observer see every call of the process, unless its session has one of the same class."""
    global _everywhere  # noqa: PLW0603 - the state of the process
    _everywhere = (*_everywhere, observer)


def stop_observing(observer: Observer | None) -> None:
    """Undo `observe_everywhere`; calls that are under way are observed until their end."""
    global _everywhere  # noqa: PLW0603
    _everywhere = tuple(one for one in _everywhere if one is not observer)


class Observer(Protocol):
    """An object that is told of every call of a session: telemetry.

    It may also have a method ``before_attempt(request, number)``, called before each attempt with a copy of the
    request, to which it may add headers. What that returns, if it is callable, is called with the finished
    `Attempt`.
    """

    def on_event(self, event: Event) -> object:
        """Take note of an event, in the thread of the call. An exception is logged and does not end the call."""
        ...


class Log:
    """The argument `report` of a call that is logged.

    Args:
        report: called with each event as well; None for nobody.
    """

    __slots__ = ("report",)

    def __init__(self, report: Callable[[Event], object] | None) -> None:
        self.report = report

    def __call__(self, event: Event) -> None:
        """Stand for a callable; the listeners log."""


class Listeners:
    """The listeners of one call.

    Args:
        options: those of the adapter with which the call began.
        report: the argument of that name; None for nobody.
        request: the first request of the call.

    Attributes:
        are_observing: whether somebody beside the log listens.
        observers: those of the option, and those of the process.
    """

    __slots__ = ("_logs", "_options", "_report", "_request", "are_observing", "observers")

    def __init__(
        self, options: Options, report: Callable[[Event], object] | None, request: PreparedRequest
    ) -> None:
        self._options = options
        self._request = request
        self._logs = type(report) is Log
        if type(report) is Log:
            report = report.report
        self._report = report
        self.observers = _with_everywhere(options["observers"]) if _everywhere else options["observers"]
        self.are_observing = bool(report or options["on_event"] or self.observers)

    def report(self, event: Event) -> None:
        """Report an event to all."""
        if self._logs:
            try:
                log_event(event, self._options["logger"])
            except Exception as error:  # noqa: BLE001 - of a handler; `dropping` costs a tenth of the record
                drop(error, "logger", None, self._request)
        if self.are_observing:
            for name, listener in self._named():
                with dropping(name, self._options["logger"], self._request):
                    listener(event)

    def before_attempt(self, request: PreparedRequest, number: int) -> Finishers:
        """Let observers add headers to a copy of the request; return what they want called with the attempt."""
        finishers = []
        for observer in self.observers:
            hook = getattr(observer, "before_attempt", None)
            if hook is not None:
                with dropping(f"{type(observer).__name__}.before_attempt", self._options["logger"], request):
                    finishers.append(hook(request, number))
        return [finish for finish in finishers if callable(finish)]

    def finish(self, finishers: Finishers, attempt: Attempt) -> None:
        """Call what observers returned before an attempt with the attempt."""
        for finish in finishers:
            with dropping("what before_attempt returned", self._options["logger"], self._request):
                finish(attempt)

    def _named(self) -> Iterator[tuple[str, Callable[[Event], object]]]:
        if self._report is not None:
            yield "report", self._report
        if self._options["on_event"] is not None:
            yield "on_event", self._options["on_event"]
        for observer in self.observers:
            yield f"{type(observer).__name__}.on_event", observer.on_event


def _with_everywhere(observers: Iterable[Observer]) -> tuple[Observer, ...]:
    classes = {type(observer) for observer in observers}
    return (*observers, *(one for one in _everywhere if type(one) not in classes))
