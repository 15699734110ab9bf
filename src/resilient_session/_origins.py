"""Labels of metrics: a bounded number, whatever the requests of a program are."""

from __future__ import annotations

OTHER = "other"

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"))


class Origins:
    """Return an origin as a label, until there are too many; later ones are "other".

    Args:
        most: how many origins get a label of their own.
    """

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, origin: str) -> str:
        """Return the label of an origin."""
        if origin in self._known:
            return origin
        if not origin or len(self._known) >= self._most:  # two threads may add one more each: still bounded
            return OTHER
        self._known.add(origin)
        return origin


def method_label(method: str, other: str = OTHER) -> str:
    """Return a method as a label; one that no standard knows as `other`."""
    return method if method in _METHODS else other
