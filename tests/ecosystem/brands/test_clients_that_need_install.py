"""Clients that make their sessions themselves: `install()` reaches them."""

from __future__ import annotations

import json

import pytest

from resilient_session import install
from resilient_session.testing import FaultServer, Reply

JSON = {"Content-Type": "application/json"}
AT_ONCE = {"seconds_between_requests": None, "seconds_between_writes": None}
"""PyGithub waits between requests, in real time."""


def test_github(faulty, keeps_promises):
    github = pytest.importorskip("github")
    server = faulty(Reply(200, json.dumps({"login": "me", "url": "/user"}), headers=JSON))
    with install(logger=None):
        client = github.Github(base_url=server.origin, retry=None, **AT_ONCE)
        keeps_promises(
            server,
            read=lambda: client.get_user("me").login == "me",
            create=lambda name: client.get_user().create_repo(name),
            raises=Exception,
        )
        client.close()


def test_github_waits_as_its_own_retry_says(fast_retries):
    github = pytest.importorskip("github")
    limited = Reply(403, '{"message": "You have exceeded a secondary rate limit."}', headers={"Retry-After": "7"})
    found = Reply(200, '{"login": "me", "url": "/user"}', headers=JSON)
    with install(logger=None), FaultServer(limited, found) as server:
        client = github.Github(base_url=server.origin, **AT_ONCE)
        assert client.get_user("me").login == "me"
        client.close()
    assert [round(wait) for wait in fast_retries.sleeps] == [7]


def test_jira(faulty, keeps_promises):
    jira = pytest.importorskip("jira")
    server = faulty(Reply(200, '{"id": "1", "key": "A-1", "fields": {}, "self": "x", "ok": 1}', headers=JSON))
    with install(logger=None):
        client = jira.JIRA(server.origin, get_server_info=False, max_retries=0)
        keeps_promises(
            server,
            read=lambda: client.issue("A-1").key == "A-1",
            create=lambda name: client.add_comment("A-1", name),
            raises=Exception,
        )
        client.close()


@pytest.mark.parametrize("pool_maxsize", [None, 20])
def test_opensearch(pool_maxsize, faulty, keeps_promises):
    opensearch = pytest.importorskip("opensearchpy")
    server = faulty(Reply(200, '{"_id": "1", "found": true}', headers=JSON))
    with install(logger=None):
        client = opensearch.OpenSearch(
            server.origin,
            connection_class=opensearch.RequestsHttpConnection,
            pool_maxsize=pool_maxsize,
            max_retries=0,
        )
        keeps_promises(
            server,
            read=lambda: client.get(index="index", id="1")["found"],
            create=lambda name: client.index(index="index", body={"name": name}),
            raises=Exception,
        )
        client.close()
