"""What metrics of every kind share: labels of a bounded number, the values of states, the bounds of buckets."""

from __future__ import annotations

OTHER = "other"

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Upper bounds of durations in seconds, as the conventions of OpenTelemetry advise."""

CIRCUIT = {"closed": 0.0, "half-open": 0.5, "open": 1.0}
"""The values of a gauge for the states of a circuit."""

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
