"""Shared TLS contexts: made once, heard of by nobody, and never a way around a certificate."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import ssl
import subprocess
import threading

import pytest
import requests
import trustme
from cryptography.hazmat.primitives import serialization
from requests.adapters import HTTPAdapter
from urllib3.util import ssl_

from resilient_session import LoggingHTTPAdapter, resilient_session
from resilient_session._transport._tls import MOST, SharedContexts
from resilient_session.testing import FaultServer, Reply
from support.certificates import server_context, settled

pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
CLOSING = Reply(200, "ok", keep_alive=False)


@pytest.fixture(scope="session")
def stranger_tls():
    """The TLS context of a server that an authority nobody knows vouches for."""
    return server_context(trustme.CA(), "127.0.0.1")


@pytest.fixture
def server(server_tls):
    with FaultServer(default=CLOSING, tls=server_tls) as running:
        yield running


@pytest.fixture
def made(monkeypatch):
    """List the contexts that urllib3 makes, whoever asks for them."""

    def counting(*args, **kwargs):
        contexts.append(real(*args, **kwargs))
        return contexts[-1]

    contexts: list[ssl.SSLContext] = []
    real = ssl_.create_urllib3_context
    monkeypatch.setattr(ssl_, "create_urllib3_context", counting)
    monkeypatch.setattr("urllib3.connection.create_urllib3_context", counting)
    return contexts


def refused(session, url, **kwargs):
    with pytest.raises(requests.exceptions.SSLError):
        session.get(url, **kwargs)
    return True


def test_connections_and_sessions_share_one_context(server, bundle, made):
    for _ in range(3):
        session = resilient_session()
        for _ in range(2):
            assert session.get(server.url("/"), verify=bundle).text == "ok"
    assert server.connections == 6
    assert len(made) == 1


def test_sharing_can_be_switched_off(server, bundle, made):
    session = resilient_session(share_tls=False)
    for _ in range(2):
        session.get(server.url("/"), verify=bundle)
    assert len(made) == 2


def test_threads_share_one_context(server, bundle, made):
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    session = resilient_session()
    with ThreadPoolExecutor(8) as executor:
        answers = list(executor.map(lambda _: session.get(server.url("/"), verify=bundle).text, range(16)))
    assert answers == ["ok"] * 16
    assert len(made) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(["good", "unverified", "stranger", "wrong name"])))
def test_bad_certificate_is_refused_whatever_came_before(order, server, bundle, stranger_tls, misnamed_tls):
    with (
        FaultServer(default=CLOSING, tls=stranger_tls) as unknown,
        FaultServer(default=CLOSING, tls=misnamed_tls) as misnamed,
    ):
        session = resilient_session(total=0, logger=None)
        for step in order * 2:
            assert {
                "good": lambda: session.get(server.url("/"), verify=bundle).text == "ok",
                "unverified": lambda: session.get(misnamed.url("/"), verify=False).text == "ok",
                "stranger": lambda: refused(session, unknown.url("/"), verify=bundle),
                "wrong name": lambda: refused(session, misnamed.url("/"), verify=bundle),
            }[step]()


def test_connections_that_are_not_verified_share_nothing(server, made):
    session = resilient_session()
    for _ in range(2):
        session.get(server.url("/"), verify=False)
    assert len(made) == 2
    assert all(context.verify_mode == ssl.CERT_NONE for context in made)


def test_bundle_that_changed_is_read_again(server, authority, tmp_path, made):
    bundle = str(tmp_path / "changing.pem")
    authority.cert_pem.write_to_path(bundle)
    session = resilient_session(total=0, logger=None)
    assert session.get(server.url("/"), verify=bundle).text == "ok"
    trustme.CA().cert_pem.write_to_path(bundle)
    os.utime(bundle, ns=(1, 1))
    assert refused(session, server.url("/"), verify=bundle)
    authority.cert_pem.write_to_path(bundle)
    assert session.get(server.url("/"), verify=bundle).text == "ok"
    assert len(made) == 3


def test_directory_of_authorities_is_trusted(server, authority, tmp_path, made):
    folder = tmp_path / "authorities"
    folder.mkdir()
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=authority.cert_pem.bytes().decode())
    session = resilient_session(total=0, logger=None)
    assert refused(session, server.url("/"), verify=str(folder))
    name = trusted_as(folder, authority)
    assert session.get(server.url("/"), verify=str(folder)).text == "ok"
    name.write_bytes(trustme.CA().cert_pem.bytes())
    assert refused(session, server.url("/"), verify=str(folder))
    assert len(made) == 3


def trusted_as(folder, authority):
    """Put an authority into a directory, under the name by which OpenSSL looks for it."""
    pem = authority.cert_pem.bytes()
    loaded = subprocess.run(
        ["openssl", "x509", "-hash", "-noout"],  # noqa: S607
        input=pem,
        capture_output=True,
        check=True,
    )
    path = folder / f"{loaded.stdout.decode().strip()}.0"
    path.write_bytes(pem)
    return path


def test_bundle_of_the_same_size_and_time_is_read_again(server, authority, tmp_path, made):
    bundle, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    good, bad = authority.cert_pem.bytes(), trustme.CA().cert_pem.bytes()
    size = max(len(good), len(bad)) + 1
    bundle.write_bytes(good.ljust(size, b"\n"))
    other.write_bytes(bad.ljust(size, b"\n"))
    for path in (bundle, other):
        os.utime(path, ns=(1, 1))
    session = resilient_session(total=0, logger=None)
    assert session.get(server.url("/"), verify=settled(bundle)).text == "ok"
    shutil.copy2(other, bundle)
    assert bundle.stat().st_mtime_ns == 1
    assert refused(session, server.url("/"), verify=str(bundle))
    bundle.write_bytes(good.ljust(size, b"\n"))
    os.utime(bundle, ns=(1, 1))
    assert session.get(server.url("/"), verify=settled(bundle)).text == "ok"
    other.replace(bundle)
    assert refused(session, server.url("/"), verify=str(bundle))


def test_bundle_that_changes_at_once_is_not_shared_before_its_time_stamp_can_tell(server, authority, tmp_path):
    bundle = tmp_path / "ca.pem"
    session = resilient_session(total=0, logger=None)
    for _ in range(5):
        bundle.write_bytes(authority.cert_pem.bytes())
        assert session.get(server.url("/"), verify=str(bundle)).text == "ok"
        bundle.write_bytes(trustme.CA().cert_pem.bytes())
        assert refused(session, server.url("/"), verify=str(bundle))


def test_key_log_that_is_set_later_is_written(server, bundle, tmp_path, monkeypatch):
    session = resilient_session(logger=None)
    session.get(server.url("/"), verify=bundle)
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    session.get(server.url("/"), verify=bundle)
    assert "CLIENT" in (tmp_path / "keys").read_text()


def test_patch_of_the_name_in_urllib3_connection_is_used_for_each_connection(server, bundle, monkeypatch):
    made = []
    real = ssl_.create_urllib3_context
    monkeypatch.setattr(
        "urllib3.connection.create_urllib3_context", lambda *a, **k: made.append(1) or real(*a, **k)
    )
    session = resilient_session(logger=None)
    for _ in range(2):
        session.get(server.url("/"), verify=bundle)
    assert len(made) == 2


def test_bundle_that_cannot_be_read_now_blocks_no_session_with_another(server, bundle, tmp_path):
    stalled = tmp_path / "stalled.pem"
    os.mkfifo(stalled)
    session = resilient_session(total=0, logger=None)
    assert session.get(server.url("/"), verify=bundle).text == "ok"
    settled(stalled)

    def read():
        with contextlib.suppress(requests.RequestException):
            resilient_session(total=0, logger=None).get(server.url("/"), verify=str(stalled))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    writing = os.open(stalled, os.O_WRONLY)  # returns once the other side is open, and so inside the read
    try:
        assert session.get(server.url("/"), verify=bundle).text == "ok"
        assert resilient_session(deadline=5).get(server.url("/"), verify=bundle).text == "ok"
    finally:
        os.close(writing)
        while reader.is_alive():  # urllib3 opens it once more
            with contextlib.suppress(OSError):
                os.close(os.open(stalled, os.O_WRONLY | os.O_NONBLOCK))


def test_variable_of_requests_names_the_bundle(server, bundle, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    assert resilient_session().get(server.url("/")).text == "ok"


def test_client_certificates_have_contexts_of_their_own(authority, asking_tls, bundle, tmp_path, made):
    mine, key = tmp_path / "mine.pem", tmp_path / "key.pem"
    issued = authority.issue_cert("me@example.test")
    issued.cert_chain_pems[0].write_to_path(mine)
    issued.private_key_pem.write_to_path(key)
    settled(key)
    with FaultServer(default=CLOSING, tls=asking_tls) as server:
        session = resilient_session(total=0, logger=None)
        for _ in range(2):
            assert session.get(server.url("/"), verify=bundle, cert=(str(mine), str(key))).text == "ok"
        with pytest.raises(requests.ConnectionError):
            session.get(server.url("/"), verify=bundle)
    assert len(made) == 2


def test_encrypted_key_is_an_error_and_asks_no_terminal(authority, server, bundle, tmp_path):
    issued = authority.issue_cert("me@example.test")
    mine, key = tmp_path / "mine.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(mine)
    plain = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    locked = serialization.BestAvailableEncryption(b"password")
    key.write_bytes(
        plain.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, locked)
    )
    settled(key)
    with pytest.raises(requests.exceptions.SSLError, match="encrypted"):
        resilient_session(total=0).get(server.url("/"), verify=bundle, cert=(str(mine), str(key)))


def test_missing_bundle_is_the_error_of_requests(server):
    with pytest.raises(OSError, match="invalid path"):
        resilient_session().get(server.url("/"), verify="/nowhere/ca.pem")


def test_bundle_that_is_none_is_an_ssl_error(server, tmp_path):
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("nonsense")
    with pytest.raises(requests.RequestException):
        resilient_session(total=0).get(server.url("/"), verify=str(nonsense))


class OwnSettings(LoggingHTTPAdapter):
    """An adapter whose pools have TLS settings of their own."""

    settings_of_pools: dict[str, object] = {}  # noqa: RUF012 - each test makes its own class

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs, **self.settings_of_pools)


def with_pools(**settings):
    adapter = type("Own", (OwnSettings,), {"settings_of_pools": settings})(total=0, logger=None)
    session = requests.Session()
    session.mount("https://", adapter)
    return session


def test_name_and_fingerprint_of_ones_own_are_checked_in_private(misnamed_tls, bundle, server, made):
    with FaultServer(default=CLOSING, tls=misnamed_tls) as misnamed:
        shared = resilient_session(total=0, logger=None)
        assert shared.get(server.url("/"), verify=bundle).text == "ok"
        assert with_pools(assert_hostname="elsewhere.test").get(misnamed.url("/"), verify=bundle).text == "ok"
        assert refused(with_pools(assert_fingerprint="00" * 32), server.url("/"), verify=bundle)
        assert refused(shared, misnamed.url("/"), verify=bundle)
    assert all(context.check_hostname for context in made[:1])


def test_context_of_ones_own_is_used(server, bundle, made):
    context = ssl.create_default_context(cafile=bundle)
    assert with_pools(ssl_context=context).get(server.url("/"), verify=bundle).text == "ok"
    assert made == []


def test_driven_adapter_shares_too(server, bundle, made):
    class Theirs(HTTPAdapter):
        pass

    session = requests.Session()
    session.mount("https://", Theirs())
    resilient_session(session)
    for _ in range(2):
        session.get(server.url("/"), verify=bundle)
    assert len(made) == 1


def test_context_class_that_is_put_in_place_later_is_heard(server, bundle, monkeypatch):
    class Theirs(ssl.SSLContext):
        used = 0

        def wrap_socket(self, *args, **kwargs):
            type(self).used += 1
            return super().wrap_socket(*args, **kwargs)

    session = resilient_session()
    session.get(server.url("/"), verify=bundle)
    monkeypatch.setattr(ssl_, "SSLContext", Theirs)
    session.get(server.url("/"), verify=bundle)
    assert Theirs.used == 1
    monkeypatch.undo()
    session.get(server.url("/"), verify=bundle)
    assert Theirs.used == 1


def test_backend_that_cannot_check_names_in_a_context_shares_nothing(server, bundle, made, monkeypatch):
    monkeypatch.setattr(ssl_, "HAS_NEVER_CHECK_COMMON_NAME", False)
    session = resilient_session()
    for _ in range(2):
        session.get(server.url("/"), verify=bundle)
    assert len(made) == 2


def test_https_proxy_keeps_to_its_own(server_tls, bundle, made):
    with FaultServer(default=CLOSING, tls=server_tls) as proxy:
        proxies = {"http": proxy.url(), "https": proxy.url()}
        assert resilient_session(total=0).get("http://origin.test/", proxies=proxies, verify=bundle).text == "ok"
    assert len(made) == 1


def test_table_of_contexts_is_bounded(authority, tmp_path):
    contexts = SharedContexts()
    for number in range(MOST + 5):
        path = tmp_path / f"{number}.pem"
        authority.cert_pem.write_to_path(path)
        contexts.get(settled(path), None, None)
    assert len(contexts._contexts) == MOST
