"""The whole loop under random faults: what must hold of every request, whatever the server does.

One session is used for many requests in a row, so that what one leaves behind is there when the next one comes. The
usual run takes seconds and makes the same examples each time; new ones, for ten minutes, are made by
``FUZZ_SECONDS=600 pytest tests/adversarial/test_loop_fuzz.py``.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import os
import time
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from resilient_session import RetryScheduled, attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply, VirtualClock

if TYPE_CHECKING:
    import ssl

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
"""How long to go on; 0 makes one short run."""

AT_MOST = 10.0
"""Seconds; a bound that no call comes near, unless it would never end."""

SETTLED = 2.0
"""Seconds within which a server knows that the client has gone away."""

STALL = 0.05
"""Seconds; the read timeout, which each silence costs."""

SECRET = "s3cr3t"  # noqa: S105 - it is made up
ORIGIN = "origin.test"
EXAMPLES = settings(
    max_examples=200,
    stateful_step_count=8,
    deadline=None,
    derandomize=not SECONDS,
    suppress_health_check=list(HealthCheck),
    phases=[phase for phase in Phase if phase is not Phase.explain],
)


# What the server does -------------------------------------------------------------------------------------------

UNKNOWN = "no-such-coding"
KEEPS_BODY, DROPS_BODY = "/kept", "/dropped"
CLAIMS = (
    {},
    {"x-should-retry": "true"},
    {"x-should-retry": "false"},
    {"Retry-After": "0"},
    {"Retry-After": "2.5"},
    {"Retry-After": "7"},
    {"Retry-After": "100000"},
    {"Retry-After": "soon"},
    {"Retry-After": "9" * 5000},
    {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"},
    {"RateLimit": '"default";r=0;t=3'},
    {"Keep-Alive": "timeout=0"},
    {"Keep-Alive": "timeout=5, max=100"},
    {"Set-Cookie": "flavour=oat; Path=/"},
    {"Content-Type": "text/plain; charset=no-such-charset"},
    {"Content-Encoding": "gzip"},
    {"Content-Encoding": UNKNOWN},
    {"X-Long": "x" * 60_000},
    {"X-Odd": "\xff\x01 : ;,\t"},
)
STATUSES = (200, 200, 200, 200, 200, 200, 201, 204, 206, 299, 304, 300, 400, 401, 404, 408, 409, 421, 425, 429, 429, 500, 502,
    503, 503, 503, 504, 599, 600, 999)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Answer:
    """How one request is answered. The text that it is about is known when the request comes."""

    status: int
    claims: dict[str, str]
    fields: dict[str, object]
    repeat: int
    redirect: bool

    def reply(self, text: str, number: int, path: str) -> Reply:
        status, headers = self.status, {"X-Number": str(number), **self.claims}
        fields = dict(self.fields)
        if self.redirect:
            keeps = status % 2 == 1
            status = 307 if keeps else 302
            headers["Location"] = path + (KEEPS_BODY if keeps else DROPS_BODY)
            fields["acts"] = False
        return Reply(status, text * self.repeat, headers=headers, **fields)

    @property
    def is_possible(self) -> bool:
        try:
            self.reply("a shorter text;", 1, "/1")  # compressed, the real ones differ by some bytes
        except ValueError:
            return False
        return True


@st.composite
def answers(draw):
    """Draw an answer: one that is well and good, or one with up to three things that are not."""
    fields: dict[str, object] = {}
    choices = {
        "framing": st.sampled_from(["length", "chunked", "close"]),
        "encoding": st.sampled_from(["gzip", "deflate"]),
        "interim": st.sampled_from([(100,), (102, 103), (103, 103, 103)]),
        "cut": st.sampled_from(["before", "head", "body", "end"]),
        "keep_alive": st.just(False),
        "read_request": st.just(False),
        "length": st.sampled_from([0, 5, 5000, "-5", "many", "5, 6", ""]),
        "bad_chunk": st.sampled_from([b"zz", b"-1", b"", b"5;x=y"]),
        "endless": st.just("interim"),
        "delay": st.just(0.002),
        "acts": st.just(True),
        "truncate": st.integers(1, 9),
    }
    likely = [*choices, "cut", "cut", "cut", "encoding", "framing", "length", "bad_chunk"]
    for name in sorted(set(draw(st.lists(st.sampled_from(likely), max_size=3)))):
        fields[name] = draw(choices[name])
    if "truncate" in fields:
        fields.setdefault("encoding", "gzip")
        fields.setdefault("framing", draw(st.sampled_from(["length", "chunked"])))
    if "cut" in fields:
        # A server that stalls and does not read would never learn that the client has gone away.
        reads = fields["cut"] != "end" and fields.get("read_request", True)
        fields["by"] = draw(st.sampled_from(["close", "close", "reset", "reset", *["stall"] * reads]))
        if fields["cut"] in {"head", "body"}:
            fields["after"] = draw(st.sampled_from([None, 0, 1, 5, 12, 17, 18, 19, 25, 34, 40]))
    status = draw(st.sampled_from(STATUSES))
    claims = draw(st.sampled_from(CLAIMS))
    answer = Answer(status, claims, fields, draw(st.sampled_from([1, 2, 50, 4000])), draw(st.integers(0, 9)) == 9)
    return answer if answer.is_possible else dataclasses.replace(answer, fields={})


BROKEN_REQUESTS = st.builds(
    Reply,
    cut=st.just("request"),
    by=st.sampled_from(["close", "reset"]),
    after=st.sampled_from([None, 20, 5000]),
)


# What the user does ---------------------------------------------------------------------------------------------

METHODS = ("GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY", "post")
BODIES = ("none", "bytes", "text", "form", "file", "generator", "pipe", "empty", "long")
ONE_SHOT = {"generator", "pipe"}


class Pipe(io.RawIOBase):
    """A body that can be read once, and does not know where it stands."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._content.readinto(buffer)


def body_of(kind: str, token: str) -> tuple[object, bytes]:
    """Return a body, and the bytes that must arrive."""
    content = f"order={token}".encode() * (20_000 if kind == "long" else 1)
    if kind == "none":
        return None, b""
    if kind == "empty":
        return b"", b""
    if kind == "file":
        file = io.BytesIO(b"not this;" + content)
        file.seek(9)
        return file, content
    made = {
        "text": content.decode(),
        "form": {"order": token},
        "generator": (content[place : place + 7] for place in range(0, len(content), 7)),
        "pipe": Pipe(content),
    }
    return made.get(kind, content), content


def worth_it_if_short(response):
    return len(response.headers) < 2 or None


def useless(response):
    return False


def enough(response):
    return response.status_code == 502


def worth_it_always(response):
    return True


def broken(response):
    raise RuntimeError("the user's own")


class Patient(urllib3.Retry):
    """A Retry with a wait of its own, and no `new()`."""

    def get_backoff_time(self):
        return 0.5


RETRIES = st.one_of(
    st.builds(
        urllib3.Retry,
        total=st.sampled_from([0, 1, 2, 5]),
        status_forcelist=st.sampled_from([None, [503], [500, 502, 503, 504, 429]]),
        allowed_methods=st.sampled_from([urllib3.Retry.DEFAULT_ALLOWED_METHODS, None, ["POST"], ["get"]]),
        backoff_factor=st.sampled_from([0, 0.5]),
        respect_retry_after_header=st.booleans(),
        raise_on_status=st.booleans(),
    ),
    st.builds(
        urllib3.Retry, total=st.none(), connect=st.just(2), read=st.just(1), status=st.just(2), other=st.just(0)
    ),
    st.builds(Patient, total=st.just(3), status_forcelist=st.just([503])),
    st.sampled_from([0, 1]),
    st.builds(urllib3.Retry, total=st.just(False)),
)
COMMON = {
    "retry_if": st.sampled_from([worth_it_if_short, useless, worth_it_always, broken]),
    "give_up_if": st.sampled_from([enough, useless, broken]),
    "unprocessed_statuses": st.sampled_from([(), (503,), (429, 503)]),
    "idempotency_keys": st.just(True),
    "deadline": st.sampled_from([0.03, 4.0, 60.0]),
    "retry_after_max": st.sampled_from([0, 3, 200]),
    "idle_timeout": st.sampled_from([0, None]),
    "pool_block": st.just(True),
}


def consistent(options):
    """Leave out what contradicts the rest, and so is refused."""
    listed = options.get("status_forcelist")
    is_outside = listed is not None and not set(options.get("unprocessed_statuses", ())) <= set(listed)
    left_out = {"unprocessed_statuses"} if is_outside else set()
    total = options.get("total", 3)
    left_out |= {cap for cap in ("status", "read", "connect", "other") if options.get(cap, 0) > total}
    return {name: value for name, value in options.items() if name not in left_out}


OPTIONS = st.one_of(
    st.fixed_dictionaries({}, optional=COMMON),
    st.fixed_dictionaries({"max_retries": RETRIES}, optional=COMMON),
    st.fixed_dictionaries(
        {},
        optional={
            **COMMON,
            "total": st.integers(0, 6),
            "status": st.integers(0, 2),
            "read": st.integers(0, 2),
            "connect": st.integers(0, 2),
            "other": st.just(0),
            "status_forcelist": st.sampled_from([(), (503,), (200, 404), range(400, 600)]),
            "allowed_methods": st.sampled_from([None, [], ["post"], ["POST", "PATCH"], ["GET"]]),
            "backoff_factor": st.sampled_from([0, 1, 1000]),
            "backoff_max": st.sampled_from([0, 5]),
            "jitter": st.booleans(),
            "respect_retry_after_header": st.just(False),
            "raise_on_status": st.just(True),
        },
    ).map(consistent),
)


@dataclasses.dataclass
class Call:
    """One request of the user's."""

    token: str
    method: str
    kind: str
    keyed: bool
    payload: bytes
    outcome: object = None
    content: bytes | None = None
    events: list[object] = dataclasses.field(default_factory=list)
    waits: tuple[float, ...] = ()
    late: Exception | None = None

    @property
    def attempts(self):
        return attempts_of(self.outcome)

    @property
    def retried(self):
        return [attempt for attempt in self.attempts if attempt.wait is not None]


class Loop(RuleBasedStateMachine):
    """One session, one server, and what must hold after every request."""

    tls: ssl.SSLContext
    bundle: str

    @initialize(options=OPTIONS, transport=st.sampled_from(["plain", "plain", "plain", "proxy", "tls", "tunnel"]))
    def open(self, options, transport):
        self.options, self.transport = options, transport
        secure = transport in {"tls", "tunnel"}
        self.server = FaultServer(
            default=self.well, tls=self.tls if secure else None, tunnel=transport == "tunnel"
        ).start()
        self.base = self.server.url("")
        self.proxies = None
        if transport in {"proxy", "tunnel"}:
            self.proxies = {scheme: self.server.url("") for scheme in ("http", "https")}
            self.base = f"http{'s' * secure}://{ORIGIN}"
        self.clock = VirtualClock(on_sleep=self.recover)
        self.meant: dict[int, Reply] = {}
        self.tokens = itertools.count(1)
        self.call: Call | None = None
        self.hidden = 0
        fixed = {"timeout": (2, STALL), "pool_maxsize": 1, "logger": None, "clock": self.clock}
        self.session = resilient_session(
            **{**fixed, **options}, on_event=lambda event: self.call.events.append(event)
        )

    def teardown(self):
        if hasattr(self, "session"):
            self.session.close()
            self.server.close()

    # The server

    def answer(self, answer: Answer, request) -> Reply:
        if request.method == "CONNECT" and answer.status == 200 and not answer.fields:
            return Reply(200)
        token = request.path.split("/")[1] if request.method != "CONNECT" else "tunnel"
        reply = answer.reply(f"text {request.number:06} for {token:8};", request.number, request.path)
        self.meant[request.number] = reply
        return reply

    def well(self, request) -> Reply:
        return self.answer(Answer(200, {}, {}, 1, redirect=False), request)

    def plan(self, fault):
        if isinstance(fault, Reply):
            return fault
        return lambda request: self.answer(fault, request)

    def recover(self, seconds):
        if len(self.clock.sleeps) % 2:
            self.start_accepting()

    # What happens

    @rule()
    def drop_idle_connections(self):
        self.server.drop_idle()

    @rule()
    def refuse(self):
        self.server.refuse()

    @rule()
    def start_accepting(self):
        self.server.accept()

    @rule(
        faults=st.lists(answers() | answers() | answers() | BROKEN_REQUESTS, max_size=4),
        method=st.sampled_from(METHODS),
        kind=st.sampled_from(BODIES),
        keyed=st.sampled_from([False, False, False, True]),
        reading=st.sampled_from(["whole", "whole", "whole", "stream", "a part", "not at all"]),
        follow=st.sampled_from([True, True, True, False]),
    )
    def request(self, faults, method, kind, keyed, reading, follow):
        self.server.script(*map(self.plan, faults))
        token = f"{next(self.tokens)}"
        data, payload = body_of(kind, token)
        self.call = call = Call(token, method.upper(), kind, keyed, payload)
        slept, start = len(self.clock.sleeps), time.monotonic()
        try:
            response = self.session.request(
                method,
                f"{self.base}/{token}",
                params={"secret": SECRET},
                headers={"Idempotency-Key": f"key-{token}"} if keyed else None,
                data=data,
                stream=reading != "whole",
                allow_redirects=follow,
                proxies=self.proxies,
                verify=self.bundle,
            )
        except requests.RequestException as error:
            call.outcome = error
            self.hidden += kind == "long"  # what a server has not read hides from it that the client is gone
        else:
            call.outcome = response
            call.content = self.read(response, reading)
        assert time.monotonic() - start < AT_MOST
        call.waits = self.clock.sleeps[slept:]
        self.check_nothing_is_left_open()
        if not self.was_raised_by_session(call):
            self.check_attempts(call)
            self.check_waits(call)
        self.check_requests(call)
        self.check_answer(call, follow=follow)
        self.check_secrets(call)

    def read(self, response, reading):
        """Read as much of a response as the user wants to; None if that is not the whole."""
        if reading == "whole":
            return response.content
        with response:
            try:
                if reading == "stream":
                    return response.content
                if reading == "a part":
                    next(response.iter_content(10), b"")
            except requests.RequestException as error:
                self.call.late = error
        return None

    # What must hold

    def seen(self, call):
        """List what the server saw of a call, and told of by the time it answered or the client went away."""
        return [
            one for one in self.server.requests if one.method != "CONNECT" and one.path.split("/")[1] == call.token
        ]

    def check_nothing_is_left_open(self):
        end = time.monotonic() + SETTLED
        most = 1 + self.hidden
        while self.server.open_connections > most and time.monotonic() < end:
            time.sleep(0.001)
        assert self.server.open_connections <= most
        adapter = self.session.get_adapter(self.base)
        managers = [adapter.poolmanager, *adapter.proxy_manager.values()]
        for pools in (manager.pools for manager in managers):
            for pool in map(pools.get, pools.keys()):
                assert pool.pool.qsize() == 1, "the place in the pool was not given back"

    def was_raised_by_session(self, call):
        """Tell whether `Session` found between two hops that a body cannot be rewound, of which no adapter learns."""
        unrewindable = isinstance(call.outcome, requests.exceptions.UnrewindableBodyError)
        return unrewindable and not call.attempts and call.kind == "pipe"

    def check_attempts(self, call):
        attempts = call.attempts
        assert attempts, "the outcome does not know its attempts"
        assert [attempt.number for attempt in attempts] == list(range(1, len(attempts) + 1))
        assert {attempt.method for attempt in attempts} <= {call.method, "GET"}
        assert len(call.retried) == sum(isinstance(event, RetryScheduled) for event in call.events)
        assert len(self.seen(call)) <= len(attempts)
        told = [attempt.status for attempt in attempts if attempt.status is not None]
        replies = [one.reply.status for one in self.seen(call) if one.reply is not None]
        if self.transport != "tunnel":
            rest = iter(replies)
            assert all(status in rest for status in told), "a status that the server did not give, in this order"
        response = call.outcome if isinstance(call.outcome, requests.Response) else None
        if response is not None:
            assert attempts[-1].status == response.status_code
            assert attempts[-1].error is None or attempts[-1].cause == "body"  # it broke while it was read
            assert len(response.raw.retries.history) == len(call.retried)
        elif not isinstance(call.outcome, (requests.exceptions.RetryError, requests.TooManyRedirects)):
            assert attempts[-1].error is not None or 300 <= attempts[-1].status < 400
        for attempt in attempts[:-1]:
            assert attempt.wait is not None or 300 <= attempt.status < 400
        if "max_retries" not in self.options:
            assert len(call.retried) <= self.options.get("total", 3)

    def check_waits(self, call):
        assert [attempt.wait for attempt in call.retried if attempt.wait] == list(call.waits)
        longest = max(self.options.get("backoff_max", 30), self.options.get("retry_after_max", 120))
        given = self.options.get("max_retries")
        longest = max(longest, 120) if isinstance(given, urllib3.Retry) else longest
        assert all(0 < wait <= longest for wait in call.waits)
        assert sum(call.waits) <= self.options.get("deadline", float("inf"))
        answered = [one.reply for one in self.seen(call) if one.reply is not None]
        obeys = given is None and "respect_retry_after_header" not in self.options
        if obeys and [one.status for one in answered] == [one.status for one in call.attempts]:
            for attempt, reply in zip(call.attempts, answered, strict=True):
                asked = dict(reply.headers).get("Retry-After")
                if (
                    asked in {"2.5", "7"}
                    and attempt in call.retried
                    and attempt.error is None
                    and reply.status // 100 != 3
                ):
                    assert attempt.wait >= float(asked)

    def check_requests(self, call):
        seen = self.seen(call)
        for one in seen:
            dropped = DROPS_BODY in one.path
            expected = b"" if dropped else call.payload
            assert not one.complete or one.body == expected, "a body arrived mangled"
            assert expected.startswith(one.body)
        if call.kind in ONE_SHOT:
            assert sum(bool(one.body) for one in seen) <= 1, "a one-shot body was sent again"
        keys = {one.headers.get("Idempotency-Key") for one in seen if one.method in {"POST", "PATCH"}}
        keyed = call.keyed or ("idempotency_keys" in self.options and call.method in {"POST", "PATCH"})
        assert len(keys) <= 1
        assert keys <= ({f"key-{call.token}"} if call.keyed else keys if keyed else {None})
        for path in {one.path for one in seen}:
            there = [one for one in seen if one.path == path]
            if not keyed and not self.is_allowed(there[0].method):
                for one in there[:-1]:
                    assert one.reply is not None, "sent again after silence"
                    assert one.reply.status in self.unprocessed(), "sent again, though it may have taken effect"
                    assert one.reply.cut not in {"before", "head", "request"}, "sent again without proof"

    def is_allowed(self, method):
        given = self.options.get("max_retries")
        if isinstance(given, urllib3.Retry):
            allowed = given.allowed_methods or None
        else:
            default = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY", "PROPFIND", "REPORT"]
            allowed = self.options.get("allowed_methods", default)
        return allowed is None or method in {one.upper() for one in allowed}

    def unprocessed(self):
        given = isinstance(self.options.get("max_retries"), urllib3.Retry)
        return self.options.get("unprocessed_statuses", () if given else (421, 425, 429))

    def check_answer(self, call, *, follow):
        if not isinstance(call.outcome, requests.Response) or (self.transport == "tunnel" and not self.seen(call)):
            return
        response = call.outcome
        number = int(response.headers["X-Number"])
        assert number in {one.number for one in self.seen(call)}, "the answer to another request"
        reply = self.meant[number]
        assert response.status_code == reply.status
        if call.content is None or (response.is_redirect and not follow):
            return
        whole = reply.payload() if ("Content-Encoding", UNKNOWN) in reply.headers else reply.body
        whole = b"" if reply.bodiless(response.request.method) else whole
        if isinstance(reply.length, int):
            whole = whole[: reply.length]
        nobody_can_tell = (
            reply.framing == "close"
            and reply.cut == "body"
            and (reply.encoding is None or ("Content-Encoding", UNKNOWN) in reply.headers or not reply.after)
        )  # servers send nothing at all with a Content-Encoding, too
        if nobody_can_tell:
            assert whole.startswith(call.content)
        else:
            assert call.content == whole

    def check_secrets(self, call):
        link = call.outcome if isinstance(call.outcome, BaseException) else None
        while link is not None:
            assert SECRET not in f"{link} {link!r}"
            link = link.__cause__ or link.__context__


@pytest.fixture
def loop(server_tls, bundle):
    return type("Loop", (Loop,), {"tls": server_tls, "bundle": bundle})


# Python itself loses a socket that is reset at the moment at which its TLS handshake is to begin.
@pytest.mark.filterwarnings("ignore:(retry|give_up)_if failed:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_what_must_hold_of_every_request_holds_under_random_faults(loop):
    end = time.monotonic() + SECONDS
    run_state_machine_as_test(loop, settings=EXAMPLES)
    while time.monotonic() < end:
        run_state_machine_as_test(loop, settings=EXAMPLES)
