"""What storm control reports: for events and log lines, which the loop makes of it."""

from __future__ import annotations

from typing import Literal

from resilient_session._named_tuple import NamedTuple


class Notice(NamedTuple):
    """Something that changed for a group, or for the store.

    Attributes:
        kind: "circuit" (it changed), "cool-down" (it started, or was lengthened), "store-lost", "store-back".
        origin: the origin of the request that noticed it; the store's place, without secrets, for the last two.
        state: of a circuit "open", "half-open" or "closed"; of a lost store the class of the error; else empty.
        seconds: how long the circuit stays open, the cool-down lasts, or the store is left alone; else 0.
    """

    kind: Literal["circuit", "cool-down", "store-lost", "store-back"]
    origin: str
    state: str = ""
    seconds: float = 0.0
