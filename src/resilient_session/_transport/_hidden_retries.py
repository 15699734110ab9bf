"""Hiding an adapter's own retries while it sends one attempt of ours.

Pools of ours send once, whatever `retries` they are handed. But some adapters bring pools of their own, and
`responses` imitates retries from `adapter.max_retries`. So that attribute reads as "no retries" in the context that
sends an attempt through the adapter. Other threads and other sessions read what they always did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import urllib3

from resilient_session._transport._in_flight import current

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter

SEND_ONCE = urllib3.Retry(0, read=False)
"""The Retry of an attempt: no retries, and errors in the classes that plain `requests` raises."""


def hide_retries(adapter_class: type[HTTPAdapter]) -> None:
    """Let adapters of a class read "no retries" inside an attempt; done once, it changes nothing again."""
    first = next((vars(base)[_NAME] for base in adapter_class.__mro__ if _NAME in vars(base)), None)
    if not isinstance(first, _HiddenRetries):
        setattr(adapter_class, _NAME, _HiddenRetries(adapter_class))


_NAME = "max_retries"


class _HiddenRetries:
    """The attribute `max_retries` of a class, in front of what is behind it: nothing, a value, or a descriptor."""

    def __init__(self, owner: type) -> None:
        self._owner = owner
        self._own: Any = vars(owner).get(_NAME)

    def __get__(self, adapter: HTTPAdapter | None, owner: type | None = None) -> Any:
        if adapter is None:
            raise AttributeError(_NAME)
        in_flight = current()
        if in_flight is not None and in_flight.sender is adapter:
            return SEND_ONCE
        behind = self._behind(adapter)
        if not hasattr(behind, "__set__") and _NAME in vars(adapter):
            return vars(adapter)[_NAME]
        if behind is None:
            raise AttributeError(_NAME)
        return behind.__get__(adapter, owner) if hasattr(behind, "__get__") else behind

    def __set__(self, adapter: HTTPAdapter, value: object) -> None:
        behind = self._behind(adapter)
        if hasattr(behind, "__set__"):
            behind.__set__(adapter, value)
        else:
            vars(adapter)[_NAME] = value

    def __delete__(self, adapter: HTTPAdapter) -> None:
        vars(adapter).pop(_NAME, None)

    def _behind(self, adapter: HTTPAdapter) -> Any:
        """Return what the class had, or a class after it: a subclass may mix it with another."""
        order = type(adapter).__mro__
        after = order[order.index(self._owner) + 1 :]
        return self._own or next((vars(base)[_NAME] for base in after if _NAME in vars(base)), None)
