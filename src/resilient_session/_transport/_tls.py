"""TLS contexts, shared between connections that would make the same one.

`requests` makes a new context for every new connection and reads the whole bundle of authorities into it: most of
what a new connection costs, in time and in memory. A context that was made once does as well, if

- it is made as urllib3 would make it at that moment, so that a library that takes the place of `ssl` is heard;
- the files are still the same, by their identity on the disk;
- nobody changes it: urllib3 sets the verification on whatever context it is given, so connections that are not
  verified, or that check a name, a fingerprint or a version of their own, or bring a context, keep to themselves.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from urllib3.util import ssl_

from resilient_session._forks import renew_in_children

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 64
"""Contexts that are kept; the one that was used longest ago goes first."""

_OWN = (
    "ssl_context", "ssl_version", "ssl_minimum_version", "ssl_maximum_version", "assert_hostname",
    "assert_fingerprint", "ca_cert_data", "key_password",
)  # fmt: skip
"""What a connection must not ask for on its own if it is to share."""

_FILES = ("ca_certs", "ca_cert_dir", "cert_file", "key_file")


class _File(NamedTuple):
    """A file as it is now."""

    path: str
    device: int
    inode: int
    size: int
    changed: int


class SharedContexts:
    """The contexts of this process."""

    def __init__(self) -> None:
        self._contexts: OrderedDict[object, ssl.SSLContext] = OrderedDict()
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Take a new lock in a forked child; the contexts are good there, too."""
        self._lock = threading.Lock()

    def get(
        self, ca_certs: str | None, ca_cert_dir: str | None, cert: str | None, key: str | None
    ) -> ssl.SSLContext:
        """Return the context that trusts these authorities and shows this certificate.

        Raises:
            OSError: a file cannot be read.
            ssl.SSLError: a file holds nothing of use.
        """
        files = tuple(_identity(path) for path in (ca_certs, ca_cert_dir, cert, key))
        made_by = (ssl_.create_urllib3_context, ssl_.SSLContext)
        with self._lock:
            context = self._contexts.get((made_by, files))
            if context is None:
                context = _make(ca_certs, ca_cert_dir, cert, key)
                self._contexts[made_by, files] = context
                while len(self._contexts) > MOST:
                    self._contexts.popitem(last=False)
            self._contexts.move_to_end((made_by, files))
            return context


def _make(ca_certs: str | None, ca_cert_dir: str | None, cert: str | None, key: str | None) -> ssl.SSLContext:
    context = ssl_.create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.load_verify_locations(ca_certs, ca_cert_dir)
    if cert:
        context.load_cert_chain(cert, key, _no_password)
    return context


def _no_password() -> str:
    """Stand in for a password: without one, OpenSSL would ask the terminal."""
    raise ValueError("the private key is encrypted")


def _identity(path: str | None) -> _File | None:
    if not path:
        return None
    found = os.stat(path)  # noqa: PTH116 - a tenth of the cost of a Path's, on every new connection
    return _File(path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


_shared = SharedContexts()


@contextmanager
def sharing(connection: Any) -> Iterator[None]:
    """Let a connection use a shared context while it connects, if it is one that may.

    Args:
        connection: urllib3's, over TLS; it is left as it was.
    """
    files = {name: getattr(connection, name) for name in _FILES}
    context = _shared_by(connection, files)
    if context is None:
        yield
        return
    connection.ssl_context = context
    vars(connection).update(dict.fromkeys(_FILES))
    try:
        yield
    finally:
        vars(connection).update(files, ssl_context=None)


def _shared_by(connection: Any, files: dict[str, Any]) -> ssl.SSLContext | None:
    try:
        return _shared.get(*files.values()) if _may_share(connection) else None
    except (OSError, ValueError):  # urllib3 meets the same, and says so in its own way
        return None


def _may_share(connection: Any) -> bool:
    verified = ssl_.resolve_cert_reqs(getattr(connection, "cert_reqs", None)) == ssl.CERT_REQUIRED
    trusts = getattr(connection, "ca_certs", None) or getattr(connection, "ca_cert_dir", None)
    checks_names = not ssl_.IS_PYOPENSSL and ssl_.HAS_NEVER_CHECK_COMMON_NAME
    own = any(getattr(connection, name, None) is not None for name in _OWN)
    to_proxy = connection.proxy is not None and connection.proxy.scheme == "https"  # with the same files
    return bool(verified and trusts and checks_names) and not own and not to_proxy
