"""What a server is to answer, and what it has seen: the one state that its threads share."""

from __future__ import annotations

import dataclasses
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from resilient_session.testing._recorded import RecordedRequest
from resilient_session.testing._replies import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from resilient_session.testing._recorded import Head

Item: TypeAlias = "Reply | Callable[[RecordedRequest], Reply]"


class Desk:
    """Hand out scripted answers in order, and keep the record.

    Number and answer are given in one step, so that the order of the record is the order of the script.
    """

    def __init__(self, script: Iterable[Item], default: Item) -> None:
        self.changed = threading.Condition()
        self._script: deque[Item] = deque()
        self._routes: dict[str, deque[Item]] = {}
        self._default = _checked("default", default)
        self._requests: list[RecordedRequest] = []
        self._errors: list[BaseException] = []
        self._raised = False
        self.add(script)

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """All requests so far."""
        with self.changed:
            return tuple(self._requests)

    @property
    def errors(self) -> tuple[BaseException, ...]:
        """All errors of the test's own callables so far."""
        with self.changed:
            return tuple(self._errors)

    def add(self, items: Iterable[Item]) -> None:
        """Append to the script."""
        checked = [_checked("script", item) for item in items]
        with self.changed:
            self._script.extend(checked)

    def route(self, path: str, items: Iterable[Item]) -> None:
        """Give a path a script of its own."""
        checked = deque(_checked("route", item) for item in items)
        if not path.startswith("/") or "?" in path:
            raise ValueError(f"path must begin with a slash and have no query, not {path!r}")
        if not checked:
            raise ValueError(f"route {path!r} must have at least one reply")
        with self.changed:
            self._routes[path] = checked

    def unread(self) -> Reply | None:
        """Take the next reply if it is to answer a request that nobody reads."""
        with self.changed:
            item = self._script[0] if self._script else self._default
            if self._routes or not isinstance(item, Reply) or item.cut != "request":
                return None
            return self._script.popleft() if self._script else item  # type: ignore[return-value]

    def open(self, connection: int, head: Head, time: float, reply: Reply | None) -> tuple[int, Item]:
        """Record a request whose head has come, and return its number and the answer it is due."""
        with self.changed:
            number = len(self._requests) + 1
            request = RecordedRequest(
                number=number,
                connection=connection,
                method=head.method,
                target=head.target,
                headers=head.headers,
                time=time,
            )
            self._requests.append(request)
            self.changed.notify_all()
            return number, reply or self._next(request.path)

    def update(self, number: int, **changes: Any) -> RecordedRequest:
        """Record what became of a request."""
        with self.changed:
            request = dataclasses.replace(self._requests[number - 1], **changes)
            self._requests[number - 1] = request
            self.changed.notify_all()
            return request

    def fail(self, error: BaseException) -> None:
        """Keep an error for the test to see."""
        with self.changed:
            self._errors.append(error)

    def raise_error(self) -> None:
        """Raise the first error that was kept, once."""
        with self.changed:
            errors, self._raised = [] if self._raised else self._errors, True
        if errors:
            raise errors[0]

    def _next(self, path: str) -> Item:
        script = self._routes.get(path)
        if script is not None:
            return script.popleft() if len(script) > 1 else script[0]
        return self._script.popleft() if self._script else self._default


def _checked(field: str, item: Item) -> Item:
    if not isinstance(item, Reply) and not callable(item):
        raise TypeError(f"{field} must be made of replies or functions that return one, not {item!r}")
    return item
