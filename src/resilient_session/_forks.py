"""What a forked child must not share with its parent: connections, and locks that nobody will release.

Two processes that read from one connection get each other's responses, without any error. So a child closes its
copies of the sockets, which the parent does not notice. And its adapters get new pools, because a pool that another
thread was using at the moment of the fork stays locked for ever in the child.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from typing import Protocol

    class Inherited(Protocol):
        """An object that a forked child inherits a copy of."""

        def renew_after_fork(self) -> None:
            """Begin anew, without taking a lock."""
            ...


_inherited: WeakSet[Inherited] = WeakSet()


def renew_in_children(inherited: Inherited) -> None:
    """Renew an object in every child that is forked while it lives."""
    _inherited.add(inherited)


def _renew() -> None:
    errors = []
    for inherited in list(_inherited):
        try:
            inherited.renew_after_fork()
        except Exception as error:  # noqa: BLE001, PERF203 - one that fails must not keep the others from it
            errors.append(error)
    if errors:
        raise errors[0]  # Python reports it as an exception that is ignored


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_renew)
