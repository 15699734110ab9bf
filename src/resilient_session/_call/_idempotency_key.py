"""Idempotency keys: what makes a POST safe to repeat (draft-ietf-httpapi-idempotency-key-header).

The key is sent bare. The draft would have it quoted, but most services in use compare it as it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest

    from resilient_session._call._call import Call

HEADER = "Idempotency-Key"
_METHODS = frozenset({"POST", "PATCH"})


def keyed(
    request: PreparedRequest,
    call: Call,
    option: bool | Callable[[PreparedRequest], str],  # noqa: FBT001
) -> PreparedRequest:
    """Return a request with the key of its call, if it is one that wants a key and has none.

    Args:
        request: the caller's request, which is not changed: what gets the key is a copy.
        call: keeps the key, so that every attempt and hop carries the same.
        option: the option `idempotency_keys`.

    Raises:
        TypeError: the user's callable gave something else than a key.
    """
    if not option or str(request.method).upper() not in _METHODS or request.headers.get(HEADER):
        return request
    if call.key is None:
        call.key = _new_key() if option is True else _checked(option(request))
    with_key = request.copy()
    with_key.headers[HEADER] = call.key
    return with_key


def _new_key() -> str:
    import uuid  # noqa: PLC0415 - costs a millisecond that few sessions need

    return str(uuid.uuid4())


def _checked(key: object) -> str:
    if not isinstance(key, str) or not key.strip() or not (key.isascii() and key.isprintable()):
        message = f"idempotency_keys gave {type(key).__name__}: it must give printable ASCII, and some of it"
        raise TypeError(message)
    return key
