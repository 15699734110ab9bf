"""Mixing a class of ours into one of somebody else's."""

from __future__ import annotations


def mixed(mixin: type, base: type) -> type:
    """Put a mixin before a class, under the name of the class: it is printed in every error message."""
    return type(base.__name__, (mixin, base), {"__module__": base.__module__, "__qualname__": base.__qualname__})
