"""Signatures: made once for a call, and so the same on each attempt, unless an adapter makes them."""

from __future__ import annotations

import itertools
import re

import pytest
import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPDigestAuth

from resilient_session import attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply


class Signing(HTTPAdapter):
    """Signs each attempt anew."""

    def __init__(self, auth):
        self.auth = auth
        super().__init__()

    def send(self, request, **kwargs):
        return super().send(self.auth(request.copy()), **kwargs)


def challenge(request):
    """Answer as a server does that wants a digest and does not count the uses of its nonce."""
    if "Authorization" in request.headers:
        return Reply(200, '{"ok": true}')
    return Reply(401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})


class Strict:
    """A server that takes no count of a nonce twice."""

    def __init__(self):
        self.nonces = itertools.count()
        self.seen = set()

    def __call__(self, request):
        use = re.findall(r'nonce="([0-9]+)".*nc=([0-9a-f]+)', request.headers.get("Authorization", ""))
        if use and use[0] not in self.seen:
            self.seen.add(use[0])
            return Reply(503) if len(self.seen) == 1 else Reply(200, "in")
        return Reply(
            401, headers={"WWW-Authenticate": f'Digest realm="r", nonce="{next(self.nonces)}", qop="auth"'}
        )


def test_digest_reads_and_creates(faulty, keeps_promises):
    server = faulty(challenge)
    session = resilient_session(logger=None)
    session.auth = HTTPDigestAuth("me", "secret")
    keeps_promises(
        server,
        read=lambda: session.get(server.url("/")).json()["ok"],
        create=lambda name: session.post(server.url("/"), data=name),
    )


def test_digest_and_its_challenge_are_one_call(fast_retries):
    session = resilient_session(total=2, logger=None)
    with FaultServer(Reply(503), challenge, Reply(503), Reply(503), challenge) as server:
        response = session.get(server.url("/"), auth=HTTPDigestAuth("me", "secret"))
    assert [attempt.status for attempt in attempts_of(response)] == [503, 401, 503, 503]


def test_digest_that_is_repeated_shows_the_count_of_its_nonce_twice(fast_retries):
    with FaultServer(default=Strict()) as server:
        response = resilient_session(logger=None).get(server.url("/"), auth=HTTPDigestAuth("me", "secret"))
    assert [attempt.status for attempt in attempts_of(response)] == [401, 503, 401]


def oauth1():
    return pytest.importorskip("requests_oauthlib").OAuth1("key", "secret", "token", "token secret")


def aws4():
    return pytest.importorskip("requests_aws4auth").AWS4Auth("id", "secret", "eu-west-1", "execute-api")


def botocore():
    """Sign with botocore, the way its own users do for requests."""
    signing = pytest.importorskip("botocore.auth")
    awsrequest = pytest.importorskip("botocore.awsrequest")
    credentials = pytest.importorskip("botocore.credentials").Credentials("id", "secret")

    def sign(request):
        aws = awsrequest.AWSRequest(request.method, request.url, data=request.body)
        signing.SigV4Auth(credentials, "execute-api", "eu-west-1").add_auth(aws)
        request.headers.update(dict(aws.headers.items()))
        return request

    return sign


@pytest.mark.parametrize("auth", [oauth1, aws4, botocore])
def test_signed_reads_and_creates(auth, faulty, keeps_promises):
    server = faulty()
    session = resilient_session(logger=None)
    session.auth = auth()
    keeps_promises(
        server,
        read=lambda: session.get(server.url("/items?a=1")).ok,
        create=lambda name: session.post(server.url("/items"), data=name),
    )
    assert all("Authorization" in one.headers for one in server.requests)


@pytest.mark.parametrize(("signed_by", "signatures"), [("session", 1), ("adapter", 3)])
def test_oauth1_of_a_session_is_the_same_on_each_attempt_and_that_of_an_adapter_is_not(
    signed_by, signatures, fast_retries
):
    session = requests.Session()
    if signed_by == "session":
        session.auth = oauth1()
    else:
        session.mount("http://", Signing(oauth1()))
    resilient_session(session, logger=None)
    with FaultServer(Reply(503), Reply(503), Reply(200)) as server:
        assert session.get(server.url("/")).ok
    assert len({one.headers["Authorization"] for one in server.requests}) == signatures
