"""Adapters of requests-toolbelt: mounted before the session is wrapped, or one class with ours, in both orders."""

from __future__ import annotations

import sys

import pytest
import requests

from resilient_session import LoggingHTTPAdapter, TimeoutHTTPAdapter, resilient_session
from resilient_session.testing import FaultServer
from support.certificates import server_context

pytest.importorskip("requests_toolbelt")
from requests_toolbelt.adapters.host_header_ssl import HostHeaderSSLAdapter
from requests_toolbelt.adapters.source import SourceAddressAdapter


class HostFirst(HostHeaderSSLAdapter, LoggingHTTPAdapter):
    pass


class HostLast(LoggingHTTPAdapter, HostHeaderSSLAdapter):
    pass


class SourceFirst(SourceAddressAdapter, TimeoutHTTPAdapter):
    pass


class SourceLast(TimeoutHTTPAdapter, SourceAddressAdapter):
    pass


@pytest.fixture(scope="module")
def named(authority):
    """A server whose certificate is for a name that nothing resolves."""
    return server_context(authority, "api.test")


def mounted(adapter):
    session = requests.Session()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


@pytest.mark.parametrize("bundled", [True, False], ids=["own bundle", "the default"])
@pytest.mark.parametrize("make", [HostFirst, HostLast, HostHeaderSSLAdapter])
def test_host_header_names_the_certificate(make, bundled, named, bundle, faulty, keeps_promises, monkeypatch):
    server = faulty(tls=named)
    session = mounted(make())
    if make is HostHeaderSSLAdapter:
        resilient_session(session, logger=None)
    if bundled:
        session.verify = bundle
    elif hasattr(requests.adapters, "_preloaded_ssl_context"):
        pytest.skip("requests 2.32.0 to 2.32.4 loaded the default when they were imported")
    else:
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", bundle)
    session.headers["Host"] = "api.test"
    keeps_promises(
        server,
        read=lambda: session.get(server.url("/")).ok,
        create=lambda name: session.post(server.url("/"), data=name),
    )
    session.headers["Host"] = "other.test"
    with pytest.raises(requests.exceptions.SSLError, match=r"other\.test"):
        session.get(server.url("/"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback is one address")
@pytest.mark.parametrize("make", [SourceFirst, SourceAddressAdapter])
def test_source_address_is_used_by_every_attempt(make, faulty, keeps_promises):
    server = faulty()
    session = mounted(make("127.0.0.2"))
    if make is SourceAddressAdapter:
        resilient_session(session, logger=None)
    with session.get(server.url("/"), stream=True) as response:
        assert response.raw.connection.sock.getsockname()[0] == "127.0.0.2"
    keeps_promises(
        server,
        read=lambda: session.get(server.url("/")).ok,
        create=lambda name: session.post(server.url("/"), data=name),
    )


def test_adapter_with_a_parameter_of_its_own_can_come_after_ours():
    with FaultServer() as server, requests.Session() as session:
        session.mount("http://", SourceLast(source_address="127.0.0.2", total=1))
        assert session.get(server.url("/")).status_code == 200
    assert session.get_adapter("http://").max_retries.total == 1
    with pytest.raises(TypeError, match="totl"):
        SourceLast(source_address="127.0.0.2", totl=1)
