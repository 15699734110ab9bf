"""One attempt: a request, sent once, and what follows from what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from resilient_session._call._preparing import prepared
from resilient_session._events import Attempt
from resilient_session._logging import dropping
from resilient_session._policy._cause import cause_of
from resilient_session._policy._decision import Retry, Stop, decide
from resilient_session._policy._failure import users_own
from resilient_session._stages import END
from resilient_session._time import monotonic
from resilient_session._transport._body_guard import guard
from resilient_session._transport._in_flight import InFlight
from resilient_session._transport._late_response import complete
from resilient_session._tried import Tried, failure_of, find_response, in_urllib3s_terms

if TYPE_CHECKING:
    from resilient_session._call._outgoing import Outgoing
    from resilient_session._tried import Transport
    from resilient_session._vocabulary import Cause


def attempt(outgoing: Outgoing, transport: Transport) -> Tried:
    """Send a request once, if storm control admits it."""
    options = outgoing.call.options
    if outgoing.call.limits.gated:
        refused = _refused(outgoing, transport)
        if refused is not None:
            return refused
    in_flight = InFlight(
        transport.sender,
        outgoing.timeouts,
        outgoing.call.deadline,
        options["clock"],
        failed_connects=outgoing.failed_connects,
        idle_limit=outgoing.idle_limit,
        share_tls=options["share_tls"],
        default_timeouts=outgoing.default_timeouts,
    )
    tried = Tried(outgoing, transport, in_flight, options["clock"].now())
    if options["prepare_attempt"] is not None or outgoing.call.listeners.observers or outgoing.refusal is not None:
        try:
            tried.request, tried.finishers = prepared(outgoing)
        except Exception as error:  # noqa: BLE001 - what the user's code raises ends the call as it is
            reason = f"not sent: preparing the attempt raised {type(error).__name__}"
            tried.failure = users_own(error, reason, sent=False)
            return tried
    if not transport.is_plain and tried.request is outgoing.request:
        tried.request = tried.request.copy()  # some adapters change what they send, and each attempt begins anew
    try:
        with in_flight:
            in_flight.clamp(None)  # without any time left nothing is sent
            response = transport.send(tried.request, outgoing.arguments)
    except Exception as error:  # noqa: BLE001 - raised again, or repeated
        tried.failure = failure_of(error, tried)
        find_response(tried)
        return tried
    except BaseException as interrupt:
        _record_interrupt(tried, interrupt)
        raise
    in_flight.received = in_flight.pool = None  # a cycle otherwise
    guard(response, in_flight, streamed=outgoing.streamed)
    tried.response = response
    return tried


def _refused(outgoing: Outgoing, transport: Transport) -> Tried | None:
    """Wait until an attempt may be sent; return it, ended, if it may not."""
    call = outgoing.call
    nothing = InFlight(None, outgoing.timeouts, call.deadline, call.options["clock"])
    tried = Tried(outgoing, transport, nothing, call.options["clock"].now())
    left = nothing.left()
    try:
        error = outgoing.admitted().enter(left, outgoing.timeouts)
    except Exception as raised:  # noqa: BLE001 - a `group_by` of the user
        tried.failure = users_own(raised, f"not sent: {raised}", sent=False)
        return tried
    if error is None:
        return None
    from resilient_session._call._admission import not_sent  # noqa: PLC0415 - few programs need it

    tried.failure, tried.refusal = not_sent(error, left)
    return tried


def settle(tried: Tried) -> tuple[Tried, Retry | Stop]:
    """Decide what follows an attempt, and record it; an interrupt meanwhile does not keep the connection."""
    verdict: Retry | Stop
    count = len(tried.outgoing.call.attempts)
    try:
        try:
            tried, verdict = (tried, tried.refusal) if tried.refusal is not None else _judged(tried)
        except Exception as error:  # noqa: BLE001 - `backoff`, or a subclass of Retry, raised it
            tried.close()
            failure = users_own(error, f"deciding on a retry raised {type(error).__name__}", sent=tried.was_sent)
            tried, verdict = tried.failed(failure), Stop(str(failure.hopeless), "hopeless")
        _record(tried, verdict)
        if tried.refusal is not None and tried.outgoing.previous is not None:
            tried = tried.outgoing.previous
    except BaseException as interrupt:
        tried.close()
        if len(tried.outgoing.call.attempts) == count:
            _record_interrupt(tried, interrupt)
        raise
    return tried, verdict


def _judged(tried: Tried) -> tuple[Tried, Retry | Stop]:
    """Decide what follows an attempt; its body is read first if the user's function or the caller will see it."""
    call = tried.outgoing.call
    wanted = given_up = False
    if call.options["retry_if"] is not None or call.options["give_up_if"] is not None:
        tried = tried.read()
        wanted, given_up = _says(tried, "retry_if"), _says(tried, "give_up_if")
    verdict = decide(tried.outcome(wanted=wanted, given_up=given_up), call.retries, call.rules)
    if isinstance(verdict, Stop) and tried.failure is None:
        tried = tried.read()
        if tried.failure is not None:
            verdict = decide(tried.outcome(), call.retries, call.rules)
    if isinstance(verdict, Retry) and tried.was_sent and not tried.outgoing.body.rewind():
        verdict = Stop(f"{verdict.reason}; the body could not be rewound", "unrepeatable-body")
    return allowed(tried, verdict)


def _record_interrupt(tried: Tried, interrupt: BaseException) -> None:
    """Record an attempt that was interrupted, by Ctrl-C for one: whoever tied something to it must release it."""
    _record(tried, Stop(f"interrupted by {type(interrupt).__name__}", "hopeless"), "error")


def _record(tried: Tried, verdict: Retry | Stop, cause: Cause | None = None) -> None:
    """Add an attempt to the record of its call; the connection of one that is repeated is released."""
    call, outgoing = tried.outgoing.call, tried.outgoing
    attempt = described(tried, verdict, len(call.attempts) + 1, cause)  # before its connection is drained
    if type(verdict) is Retry:
        tried.release()
    if tried.was_sent and not outgoing.body.repeatable:
        call.consumed_body = outgoing.request.body
    if tried.finishers:
        call.listeners.finish(tried.finishers, attempt)
    call.add(attempt, failed=attempt.cause != "ok")


def described(tried: Tried, verdict: Retry | Stop, number: int, cause: Cause | None = None) -> Attempt:
    """Return the record of an attempt."""
    outgoing, failure = tried.outgoing, tried.failure
    return Attempt(
        number,
        str(outgoing.request.method),
        outgoing.url,
        tried.start,
        outgoing.call.options["clock"].now() - tried.start,
        _status(tried),
        None if failure is None else failure.error,
        verdict.after if type(verdict) is Retry else None,
        verdict.reason,
        cause or _cause(tried, verdict),
        verdict.verdict,
        0.0 if outgoing.admission is None else outgoing.admission.held,
        (*tried.in_flight.trail, END, monotonic()),
    )


def _status(tried: Tried) -> int | None:
    if tried.response is not None:
        return tried.response.status_code
    return None if tried.failure is None else tried.failure.status


def allowed(tried: Tried, verdict: Retry | Stop) -> tuple[Tried, Retry | Stop]:
    """Let storm control learn from an attempt, and hold a retry back; only what our connections saw counts."""
    in_flight, outgoing = tried.in_flight, tried.outgoing
    is_good = type(verdict) is Stop and not verdict.failed
    if not in_flight.observed or (is_good and tried.failure is None and outgoing.admission is None):
        return tried, verdict
    response = in_urllib3s_terms(tried.response)
    admission = outgoing.admitted()
    seen = admission.seen(
        _cause(tried, verdict),
        None if response is None else response.status,
        {} if response is None else response.headers,
        outgoing.call.options["clock"].now() - tried.start,
        reused=response is None and "connect" not in in_flight.trail,
    )
    admission.learn(seen)
    if isinstance(verdict, Retry):
        verdict = admission.allow(verdict, seen)
    return (tried.read() if isinstance(verdict, Stop) else tried), verdict


def _cause(tried: Tried, verdict: Retry | Stop) -> Cause:
    failed = tried.failure is not None or type(verdict) is Retry or verdict.failed  # type: ignore[union-attr]  # a Stop has it
    if not failed:
        return "ok"
    if tried.cause is None:
        tried.cause = cause_of(tried.failure, tried.in_flight.stage)
    return tried.cause


def _says(tried: Tried, name: Literal["retry_if", "give_up_if"]) -> bool:
    """Return whether the user's function says yes to a response; False and None are no opinion."""
    options = tried.outgoing.call.options
    function = options[name]
    says: object = False
    if function is not None and tried.response is not None and tried.is_response:
        with dropping(name, options["logger"], tried.outgoing.request):
            says = function(complete(tried.response))
    return bool(says)
