"""Guarding a body while it is read: it ends whole and in time, or with an exception of `requests`.

In some places urllib3 takes the end of the connection for the end of a chunked or compressed body that was cut. And
neither urllib3 nor the decoders know about a deadline.
"""

from __future__ import annotations

import functools
import weakref
import zlib
from typing import IO, TYPE_CHECKING, Any, cast

from requests.exceptions import ContentDecodingError, SSLError
from requests.models import REDIRECT_STATI
from urllib3 import HTTPResponse
from urllib3 import exceptions as urllib3_exceptions

from resilient_session._errors import ChunkedEncodingError, DeadlineExceeded, ReadTimeout
from resilient_session._events import attempts_of
from resilient_session._tracebacks import clear_frames
from resilient_session._transport._mixin import mixed
from resilient_session._transport._reading import ClampedResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Protocol

    from requests import RequestException, Response

    from resilient_session._transport._in_flight import InFlight

    class Keeper(Protocol):
        """Keeps the record of a body that was handed over."""

        def ended(self, error: Exception, received: int) -> None:
            """Note that the body broke, with an exception, after so many bytes."""
            ...


PIECE = 262144
"""Bytes read at a time of a body of unknown length that is kept whole and not decoded; `requests` reads 10 KiB."""

MOST_AT_ONCE = 32 * 1024 * 1024
"""Bytes read at a time of one whose length is known: all of it, up to this, so that no pieces are joined."""

_RAISED_AS: Mapping[type[Exception], type[RequestException]] = {
    urllib3_exceptions.ReadTimeoutError: ReadTimeout,
    urllib3_exceptions.DecodeError: ContentDecodingError,
    urllib3_exceptions.SSLError: SSLError,
}
"""The exceptions of `requests` for urllib3's errors of a read. Any other error means that the body broke."""


def is_redirect(response: Response) -> bool:
    """Whether `Session` follows a response, and so reads its body; the cheaper test comes first."""
    return response.status_code in REDIRECT_STATI and response.is_redirect


def guard(response: Response, in_flight: InFlight, *, streamed: bool) -> None:
    """Raise while a body is read if the deadline passes or the body stops short.

    A short body of known length needs no guard: it is read at once, and urllib3 notices if it is cut.

    Args:
        response: the response whose ``raw`` will be read through ``iter_content`` or ``content``.
        in_flight: knows why a read ended early.
        streamed: whether the user reads it in pieces; else the attempt reads it at once.
    """
    raw: Any = response.raw
    if not issubclass(type(raw), HTTPResponse) or "stream" in vars(raw):  # made by somebody else
        return
    coded = "content-encoding" in raw.headers
    length = raw.length_remaining
    is_read_by_others = streamed or is_redirect(response)
    if is_read_by_others or coded or raw.chunked or length is None or length > PIECE:
        raw.__class__ = _guarded(type(raw))  # type: ignore[arg-type]  # mypy doubts that classes hash
        piece = PIECE if raw.chunked or length is None else min(length, MOST_AT_ONCE)
        raw._guard = _Guard(response, in_flight, None if is_read_by_others or coded else piece)  # noqa: SLF001


class _GuardedResponse:
    """A mixin for urllib3's responses; replacing their functions instead would keep them alive."""

    _guard: _Guard
    decode_content: bool

    def stream(self, amt: int | None = 65536, decode_content: bool | None = None) -> Iterator[bytes]:  # noqa: FBT001
        """Read piece by piece, as urllib3 does."""
        decode = self.decode_content if decode_content is None else decode_content
        pieces = super().stream(self._guard.piece or amt, decode)  # type: ignore[misc]
        return self._guard.watch(self, pieces, decode=decode)

    def read(self, amt: int | None = None, decode_content: bool | None = None, *args: Any, **kwargs: Any) -> bytes:  # noqa: FBT001
        """Read as urllib3 does; a body that stops short is no end."""
        try:
            data: bytes = super().read(amt, decode_content, *args, **kwargs)  # type: ignore[misc]
        except urllib3_exceptions.HTTPError:
            self._raise_own()
            raise
        self._check_end(data, amt, decode_content)
        return data

    def _raise_own(self) -> None:
        """Raise what became of a body that went on after a break, and broke for good."""
        own = None if self._guard.is_watching else _error_of(self)
        if own is not None:
            raise own

    def _check_end(self, data: bytes, amt: int | None, decode_content: bool | None) -> None:  # noqa: FBT001
        """Check a body that was read to its end: all of it at once, or up to a read that returns nothing."""
        is_end = amt is None or amt < 0 or (amt > 0 and not data)
        decode = self.decode_content if decode_content is None else decode_content
        if is_end and not self._guard.is_watching and _stops_short(self, decode=decode):
            raise self._guard.broken()


class _GuardedWithRead1(_GuardedResponse):
    """The same, where urllib3's responses have `read1`; those of 2.0 have not."""

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:  # noqa: FBT001
        """Read as urllib3 does; a body that stops short is no end."""
        try:
            data: bytes = super().read1(amt, decode_content)  # type: ignore[misc]
        except urllib3_exceptions.HTTPError:
            self._raise_own()
            raise
        self._check_end(data, None if amt is None and not data else amt or -1, decode_content)
        return data


@functools.lru_cache(maxsize=64)
def _guarded(base: type) -> Any:
    if issubclass(base, _GuardedResponse):
        return base
    return mixed(_GuardedWithRead1 if hasattr(base, "read1") else _GuardedResponse, base)


class _Guard:
    """Watches the pieces of one body.

    Args:
        response: the response.
        in_flight: knows how much time is left.
        piece: bytes to read at a time, whatever the reader requests; None for the reader's size.

    Attributes:
        keeper: notes that the body broke; None for nobody.
    """

    def __init__(self, response: Response, in_flight: InFlight, piece: int | None) -> None:
        self.piece = piece
        self._response = weakref.ref(response)
        self._in_flight = in_flight
        self._is_over = False
        self._broke = ""
        self.is_watching = False
        self.keeper: Keeper | None = None

    def broken(self) -> Exception:
        """Return the exception for a body that stops short."""
        response = self._response()
        error = ChunkedEncodingError(_SHORT, request=None if response is None else response.request)
        error.attempts = () if response is None else attempts_of(response)  # type: ignore[attr-defined]
        return error

    def watch(self, raw: Any, pieces: Iterator[bytes], *, decode: bool) -> Iterator[bytes]:
        """Yield the pieces of a body while there is time, and check that none is missing."""
        try:
            if self._broke:
                raise urllib3_exceptions.ProtocolError(self._broke)
            if self._is_over:
                return
            self.is_watching = True
            for data in pieces:
                yield data
                self._in_flight.clamp(None)  # decoding the next piece takes time
            if _stops_short(raw, decode=decode):
                raise urllib3_exceptions.ProtocolError(_SHORT)
        except (urllib3_exceptions.HTTPError, TimeoutError) as error:
            raised = _error_of(raw) or self._raised_as(error, raw)
            if raised is None:
                raise
            self._close_redirect(raw, error)
            clear_frames(error)
            try:
                raise raised from error
            finally:
                del raised  # a cycle otherwise: its traceback holds this frame
        finally:
            self.is_watching = False

    def _raised_as(self, error: Exception, raw: Any) -> Exception | None:
        """Return the exception for a read that failed; None if nobody holds the response any more."""
        response = self._response()
        late = isinstance(error, (urllib3_exceptions.ReadTimeoutError, TimeoutError))
        raised: Any
        if response is None:
            return None
        if late and self._in_flight.cut_short:
            raised = DeadlineExceeded("the deadline passed while the body was read", request=response.request)
        else:
            raised = raised_for(error, response.request)
        if self.keeper is not None:
            self.keeper.ended(raised, raw.tell())
            self.keeper = None
        raised.attempts = attempts_of(response)
        return cast("Exception", raised)

    def _close_redirect(self, raw: Any, error: Exception) -> None:
        """Close a redirect whose body broke: `Session` would read on, and raise errors of urllib3.

        A body that cannot be decoded counts as empty; reading one that was cut raises again.
        """
        response = self._response()
        if response is not None and is_redirect(response):
            self._is_over = True
            self._broke = "" if isinstance(error, urllib3_exceptions.DecodeError) else str(error)
            raw.close()
            raw.read = _nothing


def _error_of(raw: Any) -> Exception | None:
    """Return the exception for a body that broke for good; None if it did not."""
    graft = getattr(getattr(raw, "_original_response", None), "graft", None)
    return graft.error() if graft is not None and graft.is_broken else None


def raised_for(error: Exception, request: object) -> RequestException:
    """Return the exception for an error of urllib3 that a read raised."""
    cls: Any = next((cls for kind, cls in _RAISED_AS.items() if isinstance(error, kind)), ChunkedEncodingError)
    raised: RequestException = cls(error, request=request)
    return raised


def decoded(file: IO[bytes], coding: str) -> Iterator[bytes]:
    """Yield the content of a file that holds a body in a coding; the file is closed.

    Raises:
        urllib3.exceptions.HTTPError: it cannot be decoded, or stops short.
    """
    with file:
        raw = HTTPResponse(file, {"Content-Encoding": coding}, preload_content=False)
        yield from raw.stream(PIECE, decode_content=True)
    if _ends_in_a_member(raw):
        raise urllib3_exceptions.ProtocolError(_SHORT)


def _nothing(*_: Any, **__: Any) -> bytes:
    """Read no more."""
    return b""


_SHORT = "Connection broken: the body stops short"


def _stops_short(raw: Any, *, decode: bool) -> bool:
    return _ends_in_a_chunk(raw) or (decode and _ends_in_a_member(raw))


def _ends_in_a_chunk(raw: Any) -> bool:
    """Whether a body ended inside the line with the size of its next chunk.

    Digits of the size may be missing, and nothing else notices.
    """
    original = getattr(raw, "_original_response", None)
    return isinstance(original, ClampedResponse) and original.ended_inside_a_chunk_size


def _ends_in_a_member(raw: Any) -> bool:
    """Whether a compressed body ended before its own end mark, unnoticed by its decoder.

    Only this function and the next two read private attributes of urllib3's decoders.
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
    """Whether a lone byte after a whole gzip member cannot begin another; zlib needs two bytes to decide."""
    try:
        inner.copy().decompress(b"\x8b")
    except zlib.error as error:
        return "incorrect header" in str(error)
    return False


_NEXT_MEMBER = 1
"""The state of urllib3's gzip decoder after a whole member, with more data behind it."""

_SWALLOWS = 2
"""The state of urllib3's gzip decoder after a whole body followed by something else, which it ignores."""
