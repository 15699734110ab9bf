"""TLS faults for the demo: an untrusted certificate, and a server that corrupts its own stream.

The standard library cannot create certificates, so this uses the ``openssl`` executable, if there is one.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_REQUEST = """
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = 127.0.0.1
[extensions]
subjectAltName = IP:127.0.0.1
basicConstraints = critical, CA:TRUE
keyUsage = critical, digitalSignature, keyCertSign
subjectKeyIdentifier = hash
"""
"""Everything that the strict checks of Python 3.13 require; replaces the machine's openssl configuration."""

_UNREADABLE_RECORD = b"\x17\x03\x03\x00\x20" + bytes(32)
"""An application data record that cannot be decrypted, as a faulty middlebox may send it."""


class SelfSigned(NamedTuple):
    """A self-signed certificate for 127.0.0.1, and its key."""

    certificate: Path
    key: Path

    @classmethod
    def make(cls, directory: Path) -> SelfSigned | None:
        """Create a certificate that is valid for a day.

        Args:
            directory: where to write the files.

        Returns:
            The certificate, or None if there is no working ``openssl``.
        """
        openssl = shutil.which("openssl")
        if openssl is None:
            return None
        made = cls(directory / "certificate.pem", directory / "key.pem")
        request = directory / "request.conf"
        request.write_text(_REQUEST)
        command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-config", str(request)]
        command += ["-out", str(made.certificate), "-keyout", str(made.key)]
        done = subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - contains no user input
        return made if done.returncode == 0 else None

    def context(self, *, breaks: bool = False) -> ssl.SSLContext:
        """Return a server's TLS context with this certificate.

        Args:
            breaks: whether every response is a record that the client cannot decrypt.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if breaks:
            context.sslsocket_class = _BreakingSocket
        return context


class _BreakingSocket(ssl.SSLSocket):
    def sendall(self, *_: Any) -> None:
        socket.socket.sendall(self, _UNREADABLE_RECORD)
