"""The script of a server and its record of requests: the state that its threads share."""

from __future__ import annotations

import dataclasses
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from resilient_session.testing._recorded import RecordedRequest
from resilient_session.testing._reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from resilient_session.testing._recorded import Head

ScriptItem: TypeAlias = "Reply | Callable[[RecordedRequest], Reply]"


class ServerState:
    """The scripted replies not yet sent, and the requests received.

    A request gets its number and its reply in one step, so that the record has the order of the script.
    """

    def __init__(self, script: Iterable[ScriptItem], default: ScriptItem) -> None:
        self.changed = threading.Condition()
        self._script: deque[ScriptItem] = deque()
        self._routes: dict[str, deque[ScriptItem]] = {}
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
        """All exceptions raised by scripted functions so far."""
        with self.changed:
            return tuple(self._errors)

    def add(self, items: Iterable[ScriptItem]) -> None:
        """Append to the script."""
        checked = [_checked("script", item) for item in items]
        with self.changed:
            self._script.extend(checked)

    def route(self, path: str, items: Iterable[ScriptItem]) -> None:
        """Set a separate script for a path."""
        checked = deque(_checked("route", item) for item in items)
        if not path.startswith("/") or "?" in path:
            raise ValueError(f"path must begin with a slash and have no query, not {path!r}")
        if not checked:
            raise ValueError(f"route {path!r} must have at least one reply")
        with self.changed:
            self._routes[path] = checked

    def take_unread_reply(self) -> Reply | None:
        """Take the next reply if it applies to a request that is not read."""
        with self.changed:
            item = self._script[0] if self._script else self._default
            if self._routes or not isinstance(item, Reply) or item.cut != "request":
                return None
            return self._script.popleft() if self._script else item  # type: ignore[return-value]

    def record(self, connection: int, head: Head, time: float, reply: Reply | None) -> tuple[int, ScriptItem]:
        """Record a request by its head, and return its number and its reply."""
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
        """Update the record of a request."""
        with self.changed:
            request = dataclasses.replace(self._requests[number - 1], **changes)
            self._requests[number - 1] = request
            self.changed.notify_all()
            return request

    def record_error(self, error: BaseException) -> None:
        """Record an exception of a scripted function."""
        with self.changed:
            self._errors.append(error)

    def raise_error(self) -> None:
        """Raise the first recorded exception; later calls raise nothing."""
        with self.changed:
            errors, self._raised = [] if self._raised else self._errors, True
        if errors:
            raise errors[0]

    def _next(self, path: str) -> ScriptItem:
        script = self._routes.get(path)
        if script is not None:
            return script.popleft() if len(script) > 1 else script[0]
        return self._script.popleft() if self._script else self._default


def _checked(field: str, item: ScriptItem) -> ScriptItem:
    if not isinstance(item, Reply) and not callable(item):
        raise TypeError(f"{field} must be a Reply or a function that returns one, not {item!r}")
    return item
