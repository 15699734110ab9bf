"""The adapters, and in `TimeoutHTTPAdapter.send` the only loop.

urllib3 has a retry loop of its own, inside ``urlopen``. It sees neither the body of an answer nor the rest of the
call, so it cannot tell whether a retry is safe, worth it or in time. Here each turn of the loop is one
single-shot ``super().send()``:

    continue or open the call
    loop: send once -> read the body, unless it is streamed -> ask the policy
          Stop: return or raise  |  Retry: report, let go of the connection, wait, rewind

What a turn knows and does is `Hop`'s; what follows from it is the policy's; this module ties the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import urllib3

from resilient_session._call._call import Call, OpenCalls
from resilient_session._config._settings import Settings
from resilient_session._config._signature import shows_options
from resilient_session._events import GaveUp, Recovered, RetryScheduled
from resilient_session._forks import forget_in_children
from resilient_session._hop import Hop, Sending
from resilient_session._logging import dropping, log_event
from resilient_session._policy._carried import retry_from, schedule_of
from resilient_session._policy._decision import Rules, Stop
from resilient_session._single_shot import single_shot
from resilient_session._time import Deadline
from resilient_session._transport._known_pools import KnownPools, PoolingAdapter
from resilient_session._transport._resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests import PreparedRequest, Response
    from typing_extensions import Self, Unpack

    from resilient_session._config._options import Options
    from resilient_session._events import Event
    from resilient_session._time import TimeoutType

POSITIONAL = ("pool_connections", "pool_maxsize", "max_retries", "pool_block")
"""What `HTTPAdapter` takes by position, and so do these."""


def _named(positional: tuple[object, ...], options: Options) -> dict[str, object]:
    """Give positional arguments their names."""
    if len(positional) > len(POSITIONAL):
        message = (
            f"{len(positional)} arguments by position: an adapter takes {', '.join(POSITIONAL)}; name the others"
        )
        raise TypeError(message)
    named = dict(zip(POSITIONAL, positional, strict=False))
    twice = named.keys() & options.keys()
    if twice:
        message = f"{min(twice)}: given twice, by position and by name"
        raise TypeError(message)
    return {**named, **options}


class TimeoutHTTPAdapter(PoolingAdapter):
    """An `HTTPAdapter` with a default timeout, whose retries keep their promises.

    Mount it on a session by hand, or let `resilient_session` do so.

    Args:
        positional: the four parameters of `HTTPAdapter`, in its order.
        options: every option of the library, see `Options`.

    Raises:
        TypeError: an option is unknown, given twice, or of the wrong type.
        ValueError: the value of an option or a variable is out of range.
    """

    _believes = True
    """Whether the class of an error can be taken for proof that nothing was sent."""

    @shows_options("self", positional=POSITIONAL)
    def __init__(self, *positional: int | urllib3.Retry | None, **options: Unpack[Options]) -> None:
        self._set_up(Settings.of(_named(positional, options)), OpenCalls())

    @classmethod
    def with_settings(cls, settings: Settings, calls: OpenCalls) -> Self:
        """Make an adapter of options that were read before, for a session whose adapters share their calls."""
        adapter = cls.__new__(cls)
        adapter._set_up(settings, calls)  # noqa: SLF001 - its own class
        return adapter

    def _set_up(self, settings: Settings, calls: OpenCalls) -> None:
        self._settings = settings
        self._calls = calls
        self._resolver = Resolver()
        self._pools = KnownPools()
        forget_in_children(self)
        options = settings.values
        super().__init__(
            pool_connections=options["pool_connections"],
            pool_maxsize=options["pool_maxsize"],
            max_retries=retry_from(options),
            pool_block=options["pool_block"],
        )

    def __getstate__(self) -> dict[str, Any]:
        """Keep the options in a pickle, also when a subclass lists its own ``__attrs__``; they come first."""
        return {
            "_settings": self._settings,
            "_calls": self._calls,
            "_resolver": self._resolver,
            "_pools": self._pools,
            **super().__getstate__(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        forget_in_children(self)

    def forget_parent(self) -> None:
        """Begin anew in a forked child. What the parent had is kept, for to let go of it would take its locks."""
        self._of_parent = (self.poolmanager, self.proxy_manager, self._resolver)
        self._resolver = Resolver()
        self.proxy_manager = {}
        self.init_poolmanager(self._pool_connections, self._pool_maxsize, block=self._pool_block)

    @property
    def max_retries(self) -> urllib3.Retry:
        """The `urllib3.Retry` that says what is retried, how often and after what waits.

        Assign one of your own and it rules, as `max_retries=` does; a number means `total`.
        """
        return self._retry

    @max_retries.setter
    def max_retries(self, value: urllib3.Retry | int) -> None:
        if not isinstance(value, urllib3.Retry) or schedule_of(value) is None:
            self._settings = self._settings.changed({"max_retries": value})
        self._retry = value if isinstance(value, urllib3.Retry) else retry_from(self._settings.values)
        self._rules = Rules.of(self._settings.values)

    @property
    def settings(self) -> Settings:
        """What the options of this adapter came to."""
        return self._settings

    def reconfigure(self, options: Mapping[str, object]) -> None:
        """Change options; those that are not named stay as they are."""
        settings = self._settings.changed(options)
        pools = ("pool_connections", "pool_maxsize", "pool_block")
        repool = any(settings.values[name] != self._settings.values[name] for name in pools)  # type: ignore[literal-required]
        self._settings = settings
        self.max_retries = retry_from(settings.values)
        if repool:
            self.close()
            self.proxy_manager = {}
            self.init_poolmanager(*(settings.values[name] for name in pools))  # type: ignore[literal-required]

    def share_calls(self, calls: OpenCalls) -> None:
        """Let a redirect that leads from one adapter of a session to another stay the same call."""
        self._calls = calls

    def send(  # noqa: PLR0913, PLR0917 - the signature of requests
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002
        timeout: TimeoutType = None,
        verify: bool | str | None = True,  # noqa: FBT001, FBT002
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        *,
        report: Callable[[Event], None] | None = None,
    ) -> Response:
        """Send a request until it has its answer, or another try would be useless, unsafe or too late.

        Args:
            request: the request; it is not changed.
            stream: False reads the body here, and a body that breaks is a failure like any other.
            timeout: seconds, or a pair (connect, read); None takes the adapter's default, (None, None) is off.
            verify: as in `requests`.
            cert: as in `requests`.
            proxies: as in `requests`.
            report: is given each event of the call; None for nobody.

        Raises:
            requests.exceptions.RequestException: as plain `requests` raises it, or a subclass; its `attempts`
                say what was tried.
        """
        call = self._calls.resume(request) or self._new_call()
        sending = Sending(stream=stream, timeout=timeout, verify=verify, cert=cert, proxies=proxies)
        hop = Hop(call, request, sending, self._settings.values, believes=self._believes)
        while True:
            verdict = hop.turn(self._send_once, self._rules, self._resolver)
            if isinstance(verdict, Stop):
                break
            self._tell(RetryScheduled(call.attempts[-1]), report, request)
            hop.prepare_next(verdict)
        if len(call.attempts) > 1 or verdict.failed:
            ending = GaveUp if verdict.failed else Recovered
            self._tell(ending(tuple(call.attempts)), report, request)
        response = hop.deliver(verdict)
        self._calls.suspend(call, request, response)
        return response

    def _new_call(self) -> Call:
        options = self._settings.values
        seconds = options["deadline"]
        return Call(self.max_retries, None if seconds is None else Deadline(seconds, options["clock"]))

    def _send_once(self, request: PreparedRequest, sending: Sending) -> Response:
        """Send once, with urllib3's own retries out of sight.

        `HTTPAdapter` reads them from an attribute that all threads share. So the attempt is made on a view of
        this adapter that shares all its state and differs in this one attribute.
        """
        theirs: Any = super(TimeoutHTTPAdapter, single_shot(self))
        response: Response = theirs.send(request, **sending)
        response.connection = self
        return response

    def _tell(self, event: Event, report: Callable[[Event], None] | None, request: PreparedRequest) -> None:
        """Tell those who listen; what they raise is theirs, and must not end the call."""
        options = self._settings.values
        for name, listener in (("report", report), ("on_event", options["on_event"])):
            if listener is not None:
                with dropping(name, options["logger"], request):
                    listener(event)


class LoggingHTTPAdapter(TimeoutHTTPAdapter):
    """A `TimeoutHTTPAdapter` that logs each retry as it is decided, and how the call ended.

    Retries and calls that gave up are warnings, calls that recovered are information; of a call that succeeds at
    once nothing is logged. The fields are in the record's attributes, too, under the names of `Attempt`.
    """

    def send(  # noqa: PLR0913, PLR0917 - the signature of requests
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002
        timeout: TimeoutType = None,
        verify: bool | str | None = True,  # noqa: FBT001, FBT002
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        *,
        report: Callable[[Event], None] | None = None,
    ) -> Response:
        """Send a request as `TimeoutHTTPAdapter` does, and log what happens on the way."""
        logger = self._settings.values["logger"]

        def log_and_report(event: Event) -> None:
            log_event(event, logger)
            if report is not None:
                report(event)

        return super().send(request, stream, timeout, verify, cert, proxies, report=log_and_report)
