"""A client that takes a session: it keeps ours, and its own retries are not made."""

from __future__ import annotations

import pytest
import requests

from resilient_session import resilient_session
from resilient_session.testing import Reply

spotipy = pytest.importorskip("spotipy")


def client_of(session, server):
    client = spotipy.Spotify(auth="token", requests_session=session)
    client.prefix = server.url("/v1/")
    return client


def test_spotipy_reads_and_creates_through_our_session(faulty, keeps_promises):
    server = faulty()
    client = client_of(resilient_session(logger=None), server)
    keeps_promises(
        server,
        read=lambda: client.track("6b2oQwSGFkzsMtQruIWm2p")["ok"],
        create=client.current_user_playlist_create,
        raises=(requests.RequestException, spotipy.SpotifyException),
    )


def test_spotipy_says_what_the_last_answer_was_and_waits_no_further(faulty):
    server = faulty(Reply(503, '{"error": {"message": "down"}}'))
    with pytest.raises(spotipy.SpotifyException, match="down") as caught:
        client_of(resilient_session(logger=None), server).me()
    assert caught.value.http_status == 503
    assert len(server.requests) == 4
