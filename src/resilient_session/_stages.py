"""The stages of an attempt: what it spends its time on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from resilient_session._record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    Trail: TypeAlias = "tuple[str | float, ...]"

PHRASES: Mapping[str, str] = {
    "blocked": "waiting for a free connection",
    "dns": "looking up the name",
    "connect": "connecting",
    "tunnel": "waiting for the proxy to open a tunnel",
    "tls": "shaking hands over TLS",
    "send": "sending the request",
    "wait": "waiting for the response",
    "receive": "reading the body",
}
"""Every stage, and how messages name it."""

END = "end"
"""What a trail ends with, in place of a stage."""


class Stages(Record):
    """The seconds that an attempt spent on each stage, in real time.

    A stage that was not reached took 0 seconds. All of them are 0 if no connection of this library served the
    attempt (mocks, and some adapters of other makers).

    Attributes:
        blocked: waiting for a free connection of the pool.
        dns: looking up the name.
        connect: connecting to an address, and through a proxy to the server.
        tls: the TLS handshake.
        send: sending the request.
        wait: waiting for the response, until its headers are complete.
        receive: reading the body, if the attempt read it.
        reused: whether the connection had served another request before.
    """

    _fields: ClassVar[tuple[str, ...]] = (
        "blocked", "dns", "connect", "tls", "send", "wait", "receive", "reused",
    )  # fmt: skip
    __slots__ = ()

    blocked: float
    dns: float
    connect: float
    tls: float
    send: float
    wait: float
    receive: float
    reused: bool

    def __init__(self, *values: float, reused: bool = False) -> None:
        self._values = (*values, reused)

    def __reduce__(self) -> tuple[object, ...]:
        return _unpickled, self._values


def _unpickled(*values: float) -> Stages:
    return Stages(*values[:-1], reused=bool(values[-1]))


def stages_of(trail: Trail) -> Stages:
    """Sum up a trail: stages in the order in which they began, each followed by the moment, and `END` at last."""
    seconds = dict.fromkeys(PHRASES, 0.0)
    for stage, start, end in zip(trail[::2], trail[1::2], trail[3::2], strict=False):
        seconds[str(stage)] += float(end) - float(start)
    seconds["connect"] += seconds.pop("tunnel")
    return Stages(*seconds.values(), reused="send" in trail and "connect" not in trail)
