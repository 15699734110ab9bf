"""Digests that a server sends, and digests of a file."""

from __future__ import annotations

import base64
import hashlib

import pytest

from resilient_session._download._digests import mismatch, sent_digests

SHA256 = hashlib.sha256(b"ab").digest()
SHA512 = hashlib.sha512(b"ab").digest()


def member(name, digest, parameters=""):
    return f"{name}=:{base64.b64encode(digest).decode()}:{parameters}"


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (None, {}),
        ("", {}),
        (member("sha-256", SHA256), {"sha256": SHA256.hex()}),
        (member("sha-512", SHA512), {"sha512": SHA512.hex()}),
        (
            f" {member('sha-256', SHA256)} ,\t{member('sha-512', SHA512)}",
            {"sha256": SHA256.hex(), "sha512": SHA512.hex()},
        ),
        (member("sha-256", SHA256, ";q=1") + "," + member("md5", b"1" * 16), {"sha256": SHA256.hex()}),
        (member("md5", b"1" * 16), {}),
        (member("sha256", SHA256), {}),
        (member("SHA-256", SHA256), {}),
        (member("sha-256", SHA512), {}),
        (member("sha-256", SHA256[1:]), {}),
        (member("sha-256", SHA256).replace("=:", ":"), {}),
        (member("sha-256", SHA256) + "x", {}),
        ("sha-256=:abc:", {}),
        ("sha-256=:====:", {}),
        ("sha-256=10", {}),
        ('sha-256=":', {}),
    ],
)
def test_digests_that_a_server_sends(field, found):
    assert sent_digests(field) == found


def test_file_with_the_right_digests():
    assert mismatch({"sha256": SHA256.hex(), "sha512": SHA512.hex()}, iter([b"a", b"b"])) is None


def test_file_with_a_wrong_one():
    expected = {"sha256": SHA256.hex(), "sha512": SHA256.hex()}
    assert mismatch(expected, iter([b"ab"])) == f"the sha512 is {SHA512.hex()}; expected {SHA256.hex()}"


def test_without_digests_the_file_is_not_read():
    def pieces():
        pytest.fail("read")
        yield b""

    assert mismatch({}, pieces()) is None
