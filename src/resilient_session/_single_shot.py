"""Sending once, with urllib3's own retries out of sight.

`HTTPAdapter` reads them from an attribute that all threads share. So an attempt is made on a view of the adapter:
an object that shares all its state, and whose class differs from the adapter's in as little as can be.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import urllib3

from resilient_session._transport._connections import instrument

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter

_NO_RETRIES = urllib3.Retry(0, read=False)
"""What `requests` gives an adapter that was given none: errors then come in the classes that everybody knows."""


def single_shot(adapter: HTTPAdapter) -> Any:
    """Return a view of an adapter that sends once, over connections that keep the promises."""
    instrument(adapter.poolmanager)
    view_class = _view_class(type(adapter))  # type: ignore[arg-type]  # mypy doubts that classes hash
    view = object.__new__(view_class)
    view.__dict__ = adapter.__dict__
    for slot in view_class._slots:  # noqa: SLF001 - its own
        if hasattr(adapter, slot):
            object.__setattr__(view, slot, getattr(adapter, slot))
    return view


class _Quiet:
    """Keeps a base class from taking notice of a view's class."""

    def __init_subclass__(cls, **_: Any) -> None:
        pass


@functools.lru_cache(maxsize=256)
def _view_class(adapter_class: type[HTTPAdapter]) -> Any:
    def keep_retries(view: Any, value: Any) -> None:
        inherited: Any = getattr(adapter_class, "max_retries", None)
        if hasattr(inherited, "__set__"):
            inherited.__set__(view, value)
        else:
            view.__dict__["max_retries"] = value

    def proxy_manager_for(view: Any, *args: Any, **kwargs: Any) -> Any:
        manager = adapter_class.proxy_manager_for(view, *args, **kwargs)
        instrument(manager)
        return manager

    namespace: dict[str, Any] = {
        "max_retries": property(lambda _: _NO_RETRIES, keep_retries),
        "proxy_manager_for": proxy_manager_for,
        "__class__": property(lambda _: adapter_class),  # for those who call super(self.__class__, self)
        "__module__": adapter_class.__module__,
        "__qualname__": adapter_class.__qualname__,
        "_slots": _slots(adapter_class),
    }
    if hasattr(adapter_class, "__del__"):
        namespace["__del__"] = lambda _: None  # a view that goes leaves the connections to the adapter
    metaclass: Any = type(adapter_class)
    return metaclass(adapter_class.__name__, (_Quiet, adapter_class), namespace)


def _slots(adapter_class: type) -> tuple[str, ...]:
    """Name what instances keep elsewhere than in their `__dict__`."""
    named = (vars(cls).get("__slots__", ()) for cls in adapter_class.__mro__)
    slots = [slot for names in named for slot in ((names,) if isinstance(names, str) else names)]
    return tuple(slot for slot in slots if slot not in {"__dict__", "__weakref__"})
