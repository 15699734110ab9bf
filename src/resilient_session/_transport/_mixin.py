"""Mixing a class of ours into a class of another library."""

from __future__ import annotations


def mixed(mixin: type, base: type) -> type:
    """Put a mixin before a class, under that class's name, which error messages print."""
    return type(base.__name__, (mixin, base), {"__module__": base.__module__, "__qualname__": base.__qualname__})
