"""Guarding a body while it is read: it ends whole, in time, and with an exception of `requests` if it does not.

urllib3 takes the end of the connection for the end of a chunked or compressed body in some places where more was
to come. And it knows of no deadline, nor does the code that decodes what came.
"""

from __future__ import annotations

import functools
import weakref
import zlib
from typing import TYPE_CHECKING, Any, cast

from requests.exceptions import ContentDecodingError, SSLError
from requests.models import REDIRECT_STATI
from urllib3 import HTTPResponse
from urllib3 import exceptions as urllib3_exceptions

from resilient_session._errors import ChunkedEncodingError, DeadlineExceeded, ReadTimeout
from resilient_session._events import attempts_of
from resilient_session._policy._failure import clear_frames
from resilient_session._transport._mixin import mixed
from resilient_session._transport._reading import ClampedResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import RequestException, Response

    from resilient_session._transport._in_flight import InFlight

PIECE = 262144
"""Bytes; what is read at a time of a body that is kept as a whole, and not decoded. `requests` takes 10 KiB."""

_TOLD: Mapping[type[Exception], type[RequestException]] = {
    urllib3_exceptions.ReadTimeoutError: ReadTimeout,
    urllib3_exceptions.DecodeError: ContentDecodingError,
    urllib3_exceptions.SSLError: SSLError,
}
"""What `requests` calls the errors of urllib3 that a read may raise. All others mean that the body broke."""


def is_redirect(response: Response) -> bool:
    """Whether `Session` follows a response, and so reads its body; the cheaper test comes first."""
    return response.status_code in REDIRECT_STATI and response.is_redirect


def guard(response: Response, in_flight: InFlight, *, streamed: bool) -> None:
    """Let those who read a response's body learn of a deadline that passes, and of a body that stops short.

    A body of urllib3 that is short, and whose length is known, is read in no time and cannot stop unnoticed.

    Args:
        response: whose ``raw`` is about to be read through ``iter_content`` or ``content``.
        in_flight: says why a read ended early.
        streamed: whether the user reads it, piece by piece; else it is read at once, after this.
    """
    raw: Any = response.raw
    if not issubclass(type(raw), HTTPResponse) or "stream" in vars(raw):  # somebody's own, who knows best
        return
    coded = "content-encoding" in response.headers
    length = raw.length_remaining
    is_read_by_others = streamed or is_redirect(response)
    if is_read_by_others or coded or raw.chunked or length is None or length > PIECE:
        raw.__class__ = _guarded(type(raw))  # type: ignore[arg-type]  # mypy doubts that classes hash
        raw._guard = _Guard(response, in_flight, None if is_read_by_others or coded else PIECE)  # noqa: SLF001


class _GuardedResponse:
    """A mixin for urllib3's responses: a class, and no function in place of theirs, which would keep them alive."""

    _guard: _Guard
    decode_content: bool

    def stream(self, amt: int | None = 65536, decode_content: bool | None = None) -> Iterator[bytes]:  # noqa: FBT001
        """Read piece by piece, as urllib3 does."""
        decode = self.decode_content if decode_content is None else decode_content
        pieces = super().stream(self._guard.piece or amt, decode)  # type: ignore[misc]
        return self._guard.watch(self, pieces, decode=decode)


@functools.lru_cache(maxsize=64)
def _guarded(base: type) -> Any:
    return base if issubclass(base, _GuardedResponse) else mixed(_GuardedResponse, base)


class _Guard:
    """What watches over the pieces of one body.

    Args:
        response: whose body it is.
        in_flight: says how much time is left.
        piece: bytes to read at a time, whatever is asked for.
    """

    def __init__(self, response: Response, in_flight: InFlight, piece: int | None) -> None:
        self.piece = piece
        self._response = weakref.ref(response)
        self._in_flight = in_flight
        self._is_over = False
        self._broke = ""

    def watch(self, raw: Any, pieces: Iterator[bytes], *, decode: bool) -> Iterator[bytes]:
        """Pass on the pieces of a body, for as long as there is time, and see that they are all."""
        try:
            if self._broke:
                raise urllib3_exceptions.ProtocolError(self._broke)
            if self._is_over:
                return
            for data in pieces:
                yield data
                self._in_flight.clamp(None)  # to decode the next takes time, too
            if _ends_in_a_chunk(raw) or (decode and _ends_in_a_member(raw)):
                raise urllib3_exceptions.ProtocolError("Connection broken: the body stops short")
        except (urllib3_exceptions.HTTPError, TimeoutError) as error:
            told = self._told(error)
            if told is None:
                raise
            self._close_redirect(raw, error)
            clear_frames(error)
            try:
                raise told from error
            finally:
                del told  # or it would hold itself, by its traceback, and all that is around it

    def _told(self, error: Exception) -> RequestException | None:
        """Return what a read that fails is told as; None leaves it to `requests`, as for any stream.

        The body of a redirect is read by nobody but Session, as a part of the call.
        """
        response = self._response()
        late = isinstance(error, (urllib3_exceptions.ReadTimeoutError, TimeoutError))
        told: Any
        if response is None:
            return None
        if late and self._in_flight.cut_short:
            told = DeadlineExceeded("the deadline passed while the body was read", request=response.request)
        elif is_redirect(response):
            told = _class_for(error)(error, request=response.request)
        else:
            return None
        told.attempts = attempts_of(response)
        return cast("RequestException", told)

    def _close_redirect(self, raw: Any, error: Exception) -> None:
        """Close a redirect whose body broke: `Session` reads on, in vain, and lets out what urllib3 makes of it.

        What cannot be decoded is as good as nothing; what was cut is not, and whoever reads it again is told again.
        """
        response = self._response()
        if response is not None and is_redirect(response):
            self._is_over = True
            self._broke = "" if isinstance(error, urllib3_exceptions.DecodeError) else str(error)
            raw.close()
            raw.read = _nothing


def _class_for(error: Exception) -> Any:
    return next((told for kind, told in _TOLD.items() if isinstance(error, kind)), ChunkedEncodingError)


def _nothing(*_: Any, **__: Any) -> bytes:
    """Read no more."""
    return b""


def _ends_in_a_chunk(raw: Any) -> bool:
    """Tell whether a body ended inside the line that would tell the size of its next chunk.

    Any digit of it may be missing, and nobody else notices.
    """
    original = getattr(raw, "_original_response", None)
    return isinstance(original, ClampedResponse) and original.ended_inside_a_chunk_size


def _ends_in_a_member(raw: Any) -> bool:
    """Tell whether a compressed body ended before its own end mark, unnoticed by those who decoded it.

    urllib3's decoders are looked at here and nowhere else.
    """
    decoder = getattr(raw, "_decoder", None)
    chunk_came = getattr(getattr(raw, "_original_response", None), "chunk_came", False)  # tell() counts no chunks
    if decoder is None or not (raw.tell() or chunk_came):
        return False
    return any(_is_unfinished(one) for one in getattr(decoder, "_decoders", [decoder]))


def _is_unfinished(decoder: Any) -> bool:
    inner: Any = getattr(decoder, "_obj", None)
    state = getattr(decoder, "_state", None)
    if hasattr(inner, "is_finished"):
        return not inner.is_finished()
    if getattr(inner, "eof", True) or state == _SWALLOWS:
        return False
    return state != _NEXT_MEMBER or not _is_no_member(inner)


def _is_no_member(inner: Any) -> bool:
    """Tell whether a lone byte behind a whole gzip member begins no other: zlib wants two to say so."""
    try:
        inner.copy().decompress(b"\x8b")
    except zlib.error as error:
        return "incorrect header" in str(error)
    return False


_NEXT_MEMBER = 1
"""The state of urllib3's gzip decoder that has read a whole body, and found more behind it."""

_SWALLOWS = 2
"""The state of urllib3's gzip decoder that met something else after a whole body, and lets it be."""
