"""TLS contexts, shared between connections that would make the same one.

`requests` makes a new context for every new connection and reads the whole bundle of authorities into it: most of
what a new connection costs, in time and in memory. A context that was made once does as well, if

- it is made as urllib3 would make it at that moment, so that a library that takes the place of `ssl` is respected;
- the files are still the same, by their identity on the disk. OpenSSL reads a directory of authorities bit by bit,
  as it needs them, so connections that trust one share nothing;
- nobody changes it: urllib3 sets the verification on whatever context it is given, so connections that are not
  verified, or that check a name, a fingerprint or a version of their own, or bring a context, keep to themselves.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import urllib3.connection
from urllib3.util import ssl_

from resilient_session._forks import renew_in_children
from resilient_session._named_tuple import NamedTuple
from resilient_session._time import wall_time

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


_YOUNG = 0.02
"""Seconds; a file that changed this recently may change again without another time stamp."""


class _File(NamedTuple):
    """A file as it is now; every change of its content or its place changes one of these."""

    path: str
    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @property
    def is_young(self) -> bool:
        return wall_time() - self.changed / 1e9 < _YOUNG


class _Shared:
    """A context that one thread makes, and others wait for."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.lock = threading.Lock()
        self.context = context


class SharedContexts:
    """The contexts of this process."""

    def __init__(self) -> None:
        self._contexts: OrderedDict[object, _Shared] = OrderedDict()
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Take new locks in a forked child; the contexts that are made are good there, too."""
        self._lock = threading.Lock()
        self._contexts = OrderedDict((key, _Shared(one.context)) for key, one in self._contexts.items())

    def get(self, ca_certs: str, cert: str | None, key: str | None) -> ssl.SSLContext | None:
        """Return the context that trusts these authorities and shows this certificate; None if none is shared.

        Files are read without the lock on the table: one on a file system that does not respond blocks only those
        that need it.

        Raises:
            OSError: a file cannot be read.
            ssl.SSLError: a file holds nothing of use.
        """
        files = [_identity(path) for path in (ca_certs, cert, key) if path]
        if any(file.is_young for file in files):
            return None
        shared = self._of((*files, ssl_.create_urllib3_context, ssl_.SSLContext, os.environ.get("SSLKEYLOGFILE")))
        with shared.lock:
            if shared.context is None:
                shared.context = _make(ca_certs, cert, key)
            return shared.context

    def _of(self, key: object) -> _Shared:
        with self._lock:
            shared = self._contexts.setdefault(key, _Shared())
            self._contexts.move_to_end(key)
            while len(self._contexts) > MOST:
                self._contexts.popitem(last=False)
        return shared


def _make(ca_certs: str, cert: str | None, key: str | None) -> ssl.SSLContext:
    context = ssl_.create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.load_verify_locations(ca_certs)
    if cert:
        context.load_cert_chain(cert, key, _no_password)
    return context


def _no_password() -> str:
    """Stand in for a password: without one, OpenSSL would ask the terminal."""
    raise ValueError("the private key is encrypted")


def _identity(path: str) -> _File:
    found = os.stat(path)  # noqa: PTH116 - a tenth of the cost of a Path's, on every new connection
    return _File(path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


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
        if not _may_share(connection):
            return None
        return _shared.get(files["ca_certs"], files["cert_file"], files["key_file"])
    except (OSError, ValueError):  # urllib3 meets the same, and says so in its own way
        return None


def _may_share(connection: Any) -> bool:
    verified = ssl_.resolve_cert_reqs(getattr(connection, "cert_reqs", None)) == ssl.CERT_REQUIRED
    trusts = getattr(connection, "ca_certs", None) and not getattr(connection, "ca_cert_dir", None)
    checks_names = not ssl_.IS_PYOPENSSL and ssl_.HAS_NEVER_CHECK_COMMON_NAME
    own = any(getattr(connection, name, None) is not None for name in _OWN)
    to_proxy = connection.proxy is not None and connection.proxy.scheme == "https"  # with the same files
    return bool(verified and trusts and checks_names) and not own and not to_proxy and _is_made_in_one_way()


def _is_made_in_one_way() -> bool:
    """Whether a connection would make its context with the function that we use; a test may patch its own name."""
    return ssl_.create_urllib3_context is vars(urllib3.connection)["create_urllib3_context"]
