"""Which bodies can be sent again, and how they are put back."""

import io
import os
from collections.abc import Sequence

import pytest

from resilient_session._call._body import Body


class Parts(Sequence):
    def __getitem__(self, index):
        return (b"a", b"b")[index]

    def __len__(self):
        return 2


class Tape(Parts, io.BytesIO):
    """A sequence that is sent as a file, for it can be read like one."""


class ReadOnly:
    def read(self, size=-1):
        return b""


class Reel(Parts, ReadOnly):
    """A sequence that is sent as a file, and cannot be put back."""


class TellOnly(ReadOnly):
    def tell(self):
        return 0


class PlaceWithoutRead:
    def tell(self):
        return 0

    def seek(self, position):
        return position


class Unseekable(io.BytesIO):
    def seek(self, *_args):
        raise io.UnsupportedOperation


class Shifty(io.BytesIO):
    """Goes where it likes."""

    def seek(self, position, whence=0):
        return super().seek(position + 1, whence)


def generator():
    yield b"a"


@pytest.mark.parametrize(
    "content",
    [None, b"", b"abc", "abc", bytearray(b"abc"), memoryview(b"abc"), [], [b"a", b"b"], (b"a",), Parts()],
    ids=lambda content: type(content).__name__,
)
def test_what_lies_in_memory_can_be_sent_again_as_it_is(content):
    body = Body(content)
    assert body.repeatable is True
    assert body.rewind() is True


@pytest.mark.parametrize(
    "content",
    [
        generator(),
        iter([b"a"]),
        map(bytes, []),
        {b"a"},
        {b"a": b"b"},
        ReadOnly(),
        Reel(),
        TellOnly(),
        Unseekable(b"a"),
        PlaceWithoutRead(),
    ],
    ids=lambda content: type(content).__name__,
)
def test_what_may_be_gone_once_it_was_read_cannot_be_sent_again(content):
    body = Body(content)
    assert body.repeatable is False
    assert body.rewind() is False


@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize(
    "make", [lambda: io.BytesIO(b"abcdef"), lambda: io.StringIO("abcdef")], ids=["bytes", "text"]
)
def test_a_file_is_put_back_to_where_it_stood(make, start):
    file = make()
    file.seek(start)
    body = Body(file)
    assert body.repeatable is True
    assert file.tell() == start
    for _ in range(2):
        file.read()
        assert body.rewind() is True
        assert file.tell() == start


def test_a_sequence_that_is_sent_as_a_file_is_put_back_like_one():
    tape = Tape(b"abcdef")
    body = Body(tape)
    tape.read()
    assert body.rewind() is True
    assert tape.tell() == 0


def test_a_file_on_disk_is_put_back_to_where_it_stood(tmp_path):
    path = tmp_path / "body"
    path.write_bytes(b"abcdef")
    with path.open("rb") as file:
        file.read(3)
        body = Body(file)
        file.read()
        assert body.rewind() is True
        assert file.read() == b"def"


def test_a_pipe_cannot_be_sent_again():
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert Body(pipe).repeatable is False


def test_a_closed_file_cannot_be_sent_again():
    file = io.BytesIO(b"abc")
    file.close()
    assert Body(file).repeatable is False


def test_a_file_that_was_closed_on_the_way_is_not_put_back():
    file = io.BytesIO(b"abc")
    body = Body(file)
    file.close()
    assert body.repeatable is True
    assert body.rewind() is False


def test_a_file_that_does_not_go_where_it_is_told_is_not_put_back():
    file = Shifty(b"abcdef")
    body = Body(file)
    assert body.rewind() is False
