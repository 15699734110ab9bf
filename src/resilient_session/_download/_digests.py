"""Digests: those that a server sends with a file, and those of the file."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Digests: TypeAlias = "Mapping[str, str]"
"""Digests in hexadecimal digits, by the name of their algorithm in `hashlib`."""

_NAMES = {"sha-256": "sha256", "sha-512": "sha512"}
"""The algorithms that RFC 9530 recommends; it has names for others that are insecure."""

ALGORITHMS = frozenset(_NAMES.values())
"""Their names in `hashlib`."""

_MEMBER = re.compile(r'([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):(?:;[^,"]*)?')


def sent_digests(field: str | None) -> dict[str, str]:
    """Return the digests in a Repr-Digest field (RFC 9530 §3); unknown algorithms and malformed ones are ignored.

    Args:
        field: the value of the field; None for no field.
    """
    members = (_MEMBER.fullmatch(member.strip()) for member in (field or "").split(","))
    found = {}
    for member in members:
        name = _NAMES.get(member[1]) if member else None
        value = _decoded(member[2]) if member else b""
        if name is not None and len(value) == hashlib.new(name).digest_size:
            found[name] = value.hex()
    return found


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""


def mismatch(expected: Digests, pieces: Iterable[bytes]) -> str | None:
    """Return how a file differs from the digests that are expected; None if it does not.

    Args:
        expected: the digests; without any the file is not read.
        pieces: the file.
    """
    hashes = {name: hashlib.new(name) for name in expected}
    if hashes:
        for piece in pieces:
            for one in hashes.values():
                one.update(piece)
    for name, one in hashes.items():
        if one.hexdigest() != expected[name]:
            return f"the {name} is {one.hexdigest()}; expected {expected[name]}"
    return None
