"""Clients that take a session keep ours. Some repeat by themselves on top of it, which these tests show."""

from __future__ import annotations

import pytest

from resilient_session import resilient_session
from resilient_session.testing import FaultServer, Reply

JSON = {"Content-Type": "application/json"}


def test_gitlab(faulty, keeps_promises):
    gitlab = pytest.importorskip("gitlab")
    server = faulty(Reply(200, '{"id": 1, "name": "p"}', headers=JSON))
    client = gitlab.Gitlab(server.origin, session=resilient_session(logger=None))
    keeps_promises(
        server,
        read=lambda: client.projects.get(1).name == "p",
        create=lambda name: client.projects.create({"name": name}),
        raises=Exception,
    )


def test_gitlab_obeys_rate_limits_by_itself_once_our_retries_are_spent(fast_retries):
    gitlab = pytest.importorskip("gitlab")
    spent = [Reply(429, headers={"Retry-After": "0"})] * 4
    with FaultServer(*spent, Reply(200, '{"id": 1}', headers=JSON)) as server:
        client = gitlab.Gitlab(server.origin, session=resilient_session(logger=None))
        assert client.projects.get(1).id == 1
        assert len(server.requests) == 5


def test_hvac(faulty, keeps_promises):
    hvac = pytest.importorskip("hvac")
    server = faulty(Reply(200, '{"data": {"data": {"key": "value"}}}', headers=JSON))
    client = hvac.Client(url=server.origin, token="t", session=resilient_session(logger=None))  # noqa: S106
    keeps_promises(
        server,
        read=lambda: client.secrets.kv.v2.read_secret("a", raise_on_deleted_version=True)["data"]["data"],
        create=lambda name: client.secrets.kv.v2.create_or_update_secret("a", {"name": name}),
        raises=Exception,
    )


def test_stripe_keys_its_posts_and_so_they_are_repeated(faulty):
    stripe = pytest.importorskip("stripe")
    server = faulty(Reply(200, '{"id": "cus_1", "object": "customer"}', headers=JSON))
    http = stripe.RequestsClient(session=resilient_session(logger=None))
    client = stripe.StripeClient(
        "sk_test_1", base_addresses={"api": server.origin}, http_client=http, max_network_retries=0
    )
    created = []
    for number in range(8):
        assert client.v1.customers.retrieve("cus_1").id == "cus_1"
        created.append(client.v1.customers.create({"name": f"customer {number}"}).id)
    assert created == ["cus_1"] * 8
    posts = [one for one in server.requests if one.method == "POST"]
    assert len(posts) > 8
    assert len({one.headers["Idempotency-Key"] for one in posts}) == 8
    http.close()


WSDL = """<?xml version="1.0"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:tns="urn:orders" targetNamespace="urn:orders">
  <types><xsd:schema targetNamespace="urn:orders">
    <xsd:element name="Order" type="xsd:string"/><xsd:element name="Answer" type="xsd:string"/>
  </xsd:schema></types>
  <message name="In"><part name="body" element="tns:Order"/></message>
  <message name="Out"><part name="body" element="tns:Answer"/></message>
  <portType name="Port">
    <operation name="order"><input message="tns:In"/><output message="tns:Out"/></operation>
  </portType>
  <binding name="Binding" type="tns:Port">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="order"><soap:operation soapAction="order"/>
      <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>
  </binding>
  <service name="Service">
    <port name="Port" binding="tns:Binding"><soap:address location="{origin}/soap"/></port>
  </service>
</definitions>"""

SOAP = (
    '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Answer xmlns="urn:orders">done</Answer>'
    "</Body></Envelope>"
)


def test_zeep_loads_its_wsdl_with_retries_and_orders_once(faulty, keeps_promises):
    zeep = pytest.importorskip("zeep")

    def answer(request):
        text = SOAP if request.method == "POST" else WSDL.replace("{origin}", server.origin)
        return Reply(200, text, headers={"Content-Type": "text/xml"})

    server = faulty(answer)
    session = resilient_session(logger=None)
    load = lambda: zeep.Client(f"{server.origin}/wsdl", transport=zeep.Transport(session=session))  # noqa: E731
    client = load()
    keeps_promises(server, read=load, create=lambda name: client.service.order(name) == "done", raises=Exception)
