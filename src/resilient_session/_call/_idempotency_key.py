"""Idempotency keys, which make a POST safe to repeat (draft-ietf-httpapi-idempotency-key-header).

The key is sent bare. The draft quotes it, but most live services compare the plain text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest

    from resilient_session._call._call import Call

_METHODS = frozenset({"POST", "PATCH"})


def keyed(
    request: PreparedRequest,
    call: Call,
    option: bool | Callable[[PreparedRequest], str],  # noqa: FBT001
    header: str,
) -> PreparedRequest:
    """Return a request with the idempotency key of its call, if it should have one and has none.

    Args:
        request: the caller's request; the key is added to a copy.
        call: keeps the key, so that every attempt and hop carries the same.
        option: the option `idempotency_keys`.
        header: the option `idempotency_header`.

    Raises:
        TypeError: the user's callable returned something other than a key.
    """
    if not option or str(request.method).upper() not in _METHODS or request.headers.get(header):
        return request
    if call.key is None:
        call.key = _new_key() if option is True else _checked(option(request))
    with_key = request.copy()
    with_key.headers[header] = call.key
    return with_key


def _new_key() -> str:
    import uuid  # noqa: PLC0415 - costs a millisecond, and few sessions need it

    return str(uuid.uuid4())


def _checked(key: object) -> str:
    if not isinstance(key, str) or not key.strip() or not (key.isascii() and key.isprintable()):
        message = f"idempotency_keys returned {type(key).__name__}: must return a non-empty str of printable ASCII"
        raise TypeError(message)
    return key
