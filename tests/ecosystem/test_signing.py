"""Signatures: made once for a call, and so the same on each attempt, unless an adapter makes them."""

from __future__ import annotations

import datetime as dt
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


def aws4_again():
    """Sign at a time that moves on, as real time does between attempts."""
    auth = aws4()
    seconds = itertools.count()

    def sign(request):
        now = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc) + dt.timedelta(seconds=next(seconds))
        request.headers["x-amz-date"] = now.strftime("%Y%m%dT%H%M%SZ")
        return auth(request)

    return sign


def bearer():
    tokens = (f"token-{number}" for number in itertools.count(1))

    def sign(request):
        request.headers["Authorization"] = f"Bearer {next(tokens)}"
        return request

    return sign


@pytest.mark.parametrize("make", [oauth1, aws4_again, bearer])
@pytest.mark.parametrize("body", [None, {"a": "1"}, b"bytes"])
def test_prepare_attempt_signs_each_attempt_anew(make, body, fast_retries):
    sign = make()
    session = resilient_session(prepare_attempt=lambda request, number: sign(request), logger=None)
    with FaultServer(Reply(503), Reply(503), Reply(200)) as server:
        response = session.put(server.url("/items?a=1"), data=body)
    sent = [one.headers["Authorization"] for one in server.requests]
    assert len(set(sent)) == len(attempts_of(response)) == 3
    assert len({(one.path, one.body) for one in server.requests}) == 1
    assert "Authorization" not in (response.history or [session])[0].headers


def test_nonces_and_timestamps_are_those_that_the_server_checks(fast_retries):
    """The server verifies each signature, and takes no nonce twice."""
    endpoint = pytest.importorskip("oauthlib.oauth1")
    nonces = []

    class Validator(endpoint.RequestValidator):
        enforce_ssl = False
        dummy_client = dummy_access_token = "dummy"  # noqa: S105 - asked for by the library

        @property
        def client_key_length(self):
            return 1, 60

        access_token_length = nonce_length = client_key_length

        def validate_timestamp_and_nonce(self, key, timestamp, nonce, request, **tokens):
            fresh = nonce not in nonces
            nonces.append(nonce)
            return fresh

        def validate_client_key(self, key, request):
            return True

        def validate_access_token(self, key, token, request):
            return True

        def validate_realms(self, *args, **kwargs):
            return True

        def get_client_secret(self, key, request):
            return "secret"

        def get_access_token_secret(self, key, token, request):
            return "token secret"

    checks = endpoint.ResourceEndpoint(Validator())
    replies = iter([503, 503, 200])

    def check(request):
        url = server.url(request.target)
        valid, _ = checks.validate_protected_resource_request(url, request.method, request.body, request.headers)
        return Reply(next(replies) if valid else 401)

    sign = oauth1()
    session = resilient_session(prepare_attempt=lambda request, number: sign(request), logger=None)
    with FaultServer(default=check) as server:
        assert session.get(server.url("/items?a=1")).status_code == 200
    assert len(set(nonces)) == 3


def test_refused_token_is_renewed_within_the_call(fast_retries):
    token = ["old"]

    def authorize(request, number):
        if number > 1:
            token[0] = "new"
        request.headers["Authorization"] = f"Bearer {token[0]}"

    session = resilient_session(
        prepare_attempt=authorize, retry_if=lambda response: response.status_code == 401, total=1, logger=None
    )
    with FaultServer(
        default=lambda request: Reply(200 if "new" in request.headers["Authorization"] else 401)
    ) as server:
        assert session.get(server.url("/")).ok
