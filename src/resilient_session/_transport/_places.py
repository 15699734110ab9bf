"""Saves a tenth of a session that is made for one call: the places of a pool, made when somebody looks for them.

urllib3 fills each pool with as many Nones as it may have connections, which are places for connections to come, and
takes them out again at its end, each with a lock and two conditions. Here, those that were never touched are a
number, which is zero once their pool is closed or gone.
"""

from __future__ import annotations

from queue import LifoQueue
from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool


class Places(LifoQueue[Any]):
    """urllib3's queue of connections: what comes out, and in which order, is the same."""

    _untouched = 0
    _is_made = False
    _pool: ref[HTTPConnectionPool] | None = None

    def belong_to(self, pool: HTTPConnectionPool) -> None:
        """Let the places end with a pool."""
        self._pool = ref(pool)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002
        """Put a connection, or None, as `LifoQueue` does; the first Nones come from urllib3 as it makes a pool."""
        if self._is_made or item is not None or not block:
            self._is_made = True
            super().put(item, block, timeout)
            return
        self._untouched += 1
        self._is_made = self._untouched == self.maxsize

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002
        """Take what was put last."""
        self._is_made = True
        with self.mutex:
            if not self.queue and self._untouched:
                if not self._has_ended():
                    self.not_full.notify()
                    return self._get()
                self._untouched = 0
        return super().get(block, timeout)

    def _has_ended(self) -> bool:
        """Whether the pool is closed or gone, so that urllib3 empties its queue."""
        if self._pool is None:
            return False
        pool = self._pool()
        return pool is None or pool.pool is not self

    def _qsize(self) -> int:
        return len(self.queue) + self._untouched

    def _get(self) -> Any:
        if self.queue:
            return self.queue.pop()
        self._untouched -= 1
        return None
