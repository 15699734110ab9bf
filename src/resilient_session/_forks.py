"""What a forked child must not share with its parent: connections, and locks that nobody will release.

Two processes that read from one connection get each other's answers, without any error. So a child closes its
copies of the sockets, which the parent does not notice, and its adapters begin anew: pools that another thread was
using at the moment of the fork stay locked for ever in the child.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Inherited(Protocol):
    """What a child gets a copy of."""

    def renew_after_fork(self) -> None:
        """Begin anew, without taking a lock."""
        ...


_inherited: WeakSet[Inherited] = WeakSet()


def renew_in_children(thing: Inherited) -> None:
    """Have a thing begin anew in every child that is forked while it lives."""
    _inherited.add(thing)


def _begin_anew() -> None:
    for thing in list(_inherited):
        thing.renew_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_begin_anew)
