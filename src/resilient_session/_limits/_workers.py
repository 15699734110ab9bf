"""Operations with an end: whatever hangs in them, the caller goes on.

What may hang is a name server, a connect, or a reply that drips. An operation runs in a daemon thread, of which
there are at most 16. A thread stays for some seconds for the next one. What the caller no longer waits for is
dropped if it has not begun; if it has, the limits of the client end it.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MOST_THREADS = 16
"""Operations under way at once. One that finds all of them busy waits, within its own time."""

IDLE = 5.0
"""Seconds for which a thread waits for another operation before it ends."""


class Workers:
    """Threads that run operations.

    Args:
        most: how many at most.
        idle: seconds for which a thread waits for another operation before it ends.
    """

    def __init__(self, most: int = MOST_THREADS, idle: float = IDLE) -> None:
        self._most = most
        self._idle_limit = idle
        self.renew()

    def renew(self) -> None:
        """Begin anew, as a forked child must: it has none of the threads."""
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[_Job[Any]] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads = 0

    @property
    def threads(self) -> int:
        """How many threads there are."""
        return self._threads

    def run(self, work: Callable[[], T], timeout: float) -> T:
        """Return what an operation returns, or raise what it raises.

        Args:
            work: the operation.
            timeout: seconds.

        Raises:
            TimeoutError: it did not end in time.
            RuntimeError: the machine has no more threads, or the interpreter is shutting down.
        """
        job: _Job[T] = _Job(work)
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False):
            self._add_thread()
        if not job.over.acquire(timeout=max(0.0, timeout)):
            job.work = None
            raise TimeoutError
        return job.result()

    def _add_thread(self) -> None:
        with self._lock:
            if self._threads >= self._most:
                return
            self._threads += 1
        try:
            threading.Thread(target=self._serve, name="resilient-session-store", daemon=True).start()
        except BaseException:
            with self._lock:
                self._threads -= 1
            raise

    def _serve(self) -> None:
        jobs, idle = self._jobs, self._idle
        while True:
            try:
                job = jobs.get_nowait()
            except queue.Empty:
                idle.release()
                try:
                    job = jobs.get(timeout=self._idle_limit)
                except queue.Empty:
                    if idle.acquire(blocking=False):
                        break
                    continue  # a caller counts on this thread: its operation is there, or about to be
            job.run()
        with self._lock:
            self._threads -= 1


class _Job(Generic[T]):
    """One operation.

    Attributes:
        over: released when it is over.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self.work: Callable[[], T] | None = work
        self.over = threading.Semaphore(0)
        self._values: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        work = self.work
        if work is not None:
            try:
                self._values.append(work())
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                self._error = error
        self.over.release()

    def result(self) -> T:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self._values[0]
