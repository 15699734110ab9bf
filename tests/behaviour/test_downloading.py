"""`download()`: the whole file under its name, or what was there before; the next run goes on where one ended."""

from __future__ import annotations

import base64
import errno
import gzip
import hashlib
import json
import os
import random
import sys
import threading

import pytest
import requests
import responses
import urllib3

from resilient_session import (
    ChunkedEncodingError,
    DeadlineExceeded,
    DigestMismatch,
    StreamBroken,
    StreamResumed,
    attempts_of,
    deadline,
    download,
    resilient_session,
)
from resilient_session._download import _part
from resilient_session.testing import FaultServer, Reply

BODY = random.Random(3).randbytes(700_000)  # noqa: S311 - a body
SHA256 = hashlib.sha256(BODY).hexdigest()
ETAG = {"ETag": '"v1"'}
LOST = 0 if hasattr(urllib3.HTTPResponse, "read1") else 65536
"""Bytes that a read loses which ends in silence: without `read1` it waits for a whole piece."""


class Site:
    """Serves a file with ranges; each response is cut where `cuts` says, None for nowhere."""

    def __init__(self, *cuts, body=BODY, headers=ETAG, framing="length", by="close", most=None, knows_ranges=True):
        self.cuts, self.body, self.headers, self.framing, self.by = list(cuts), body, headers, framing, by
        self.most, self.knows_ranges = most, knows_ranges
        self.asked = []
        self.sent = 0

    def __call__(self, request):
        asked = request.headers.get("Range")
        self.asked.append(asked)
        assert request.headers["Accept-Encoding"] == "identity"
        etag = self.headers.get("ETag") or self.headers.get("Last-Modified")
        is_ranged = asked and self.knows_ranges and request.headers.get("If-Range") == etag
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if is_ranged else 0
        end = min(len(self.body), start + (self.most or len(self.body)))
        named = {"Content-Range": f"bytes {start}-{end - 1}/{len(self.body)}"} if is_ranged else {}
        body = self.body[start:end] if is_ranged else self.body
        after = self.cuts.pop(0) if self.cuts else None
        cut = {} if after is None else {"cut": "body", "after": after, "by": self.by}
        self.sent += len(body) if after is None else min(after, len(body))
        status = 206 if is_ranged else 200
        return Reply(status, body, headers={**self.headers, **named}, framing=self.framing, **cut)


def names(path):
    return sorted(each.name for each in path.iterdir())


@pytest.fixture
def fetch(tmp_path, session):
    """Download from a site to ``tmp_path/file``."""

    def run(site, /, *, session=session, **arguments):
        with FaultServer(default=site) as server:
            return download(server.url("/x?token=hidden"), tmp_path / "file", session=session, **arguments)

    return run


@pytest.fixture
def from_site(tmp_path, session):
    """A server whose site may change, and a function that downloads from it."""
    with FaultServer(default=lambda request: server.site(request)) as server:  # noqa: PLW0108 - it changes

        def run(site, **arguments):
            server.site = site
            url = arguments.pop("url", server.url("/x?token=hidden"))
            return download(url, tmp_path / "file", **{"session": session, **arguments})

        yield run


def test_file_arrives_and_nothing_else_stays(fetch, tmp_path):
    assert fetch(Site()) == tmp_path / "file"
    assert (tmp_path / "file").read_bytes() == BODY
    assert names(tmp_path) == ["file"]


def test_session_of_its_own_is_made_and_closed(tmp_path):
    with FaultServer(default=Site()) as server:
        download(server.url(), str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("by", ["close", "reset"])
def test_no_byte_is_requested_twice_after_breaks(fetch, tmp_path, framing, by):
    site = Site(100_000, 50_000, 200_000, 7, framing=framing, by=by)
    fetch(site, sha256=SHA256)
    assert (tmp_path / "file").read_bytes() == BODY
    starts = [0, *(int(asked[6:-1]) for asked in site.asked[1:])]
    assert starts == sorted(starts)
    if by == "close" and framing == "length":
        assert starts == [0, 100_000, 150_000, 350_000, 350_007]
        assert site.sent == len(BODY)


@pytest.mark.parametrize("after", [*range(0, 42, 3), 42, 43, 44, 45, 46])
def test_chunks_cut_at_any_byte(fetch, tmp_path, after):
    site = Site(after, body=b"a short file, in chunks and cut", framing="chunked")
    fetch(site)
    assert (tmp_path / "file").read_bytes() == site.body


def test_range_shorter_than_requested_is_followed_by_another(fetch, tmp_path):
    fetch(Site(1000, most=300_000))
    assert (tmp_path / "file").read_bytes() == BODY


def test_date_proves_the_version_where_there_is_no_etag(fetch, tmp_path):
    dates = {"Last-Modified": "Thu, 01 Jan 2026 11:00:00 GMT", "Date": "Thu, 01 Jan 2026 12:00:00 GMT"}
    site = Site(1000, headers=dates)
    fetch(site)
    assert (tmp_path / "file").read_bytes() == BODY
    assert site.asked == [None, "bytes=1000-"]


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"v1"'}, {"ETag": '"v1"', "Accept-Ranges": "none"}])
def test_without_a_strong_validator_it_begins_anew(fetch, tmp_path, headers):
    site = Site(1000, 2000, headers=headers)
    fetch(site)
    assert (tmp_path / "file").read_bytes() == BODY
    assert site.asked == [None, None, None]


def test_only_attempts_without_progress_count(tmp_path, clock):
    site = Site(*[10_000] * 30, 0, 0)
    session = resilient_session(total=2, clock=clock, logger=None)
    with FaultServer(default=site) as server:
        download(server.url(), tmp_path / "file", session=session)
    assert (tmp_path / "file").read_bytes() == BODY
    assert len(site.asked) == 33


@pytest.mark.parametrize(("total", "requests_sent"), [(0, 1), (1, 2), (3, 4)])
def test_attempts_without_progress_are_limited_as_the_session_says(tmp_path, clock, total, requests_sent):
    site = Site(*[0] * 20)
    session = resilient_session(total=total, clock=clock, logger=None)
    with FaultServer(default=site) as server, pytest.raises(ChunkedEncodingError, match="0 of 700000") as caught:
        download(server.url(), tmp_path / "file", session=session)
    assert len(site.asked) == requests_sent == len(attempts_of(caught.value))
    assert [one.cause for one in attempts_of(caught.value)] == ["body"] * requests_sent


def test_what_arrives_once_more_is_no_progress(tmp_path, clock):
    site = Site(*[5000] * 20, headers={})
    session = resilient_session(total=3, clock=clock, logger=None)
    with FaultServer(default=site) as server, pytest.raises(ChunkedEncodingError):
        download(server.url(), tmp_path / "file", session=session)
    assert len(site.asked) == 5  # one with progress, and four without
    assert names(tmp_path) == []


def test_next_run_goes_on(from_site, tmp_path):
    plain = resilient_session(total=0, logger=None)
    with pytest.raises(ChunkedEncodingError, match="broke after 300000 of 700000 bytes"):
        from_site(Site(300_000), session=plain)
    assert names(tmp_path) == ["file.part", "file.part.json"]
    assert (tmp_path / "file.part").read_bytes() == BODY[:300_000]
    assert "hidden" not in (tmp_path / "file.part.json").read_text()
    site = Site()
    from_site(site)
    assert site.asked == ["bytes=299999-"]
    assert (tmp_path / "file").read_bytes() == BODY
    assert names(tmp_path) == ["file"]


def test_part_that_is_whole_becomes_the_file_after_one_byte(from_site, tmp_path):
    with pytest.raises(ChunkedEncodingError):
        from_site(Site(300_000), session=resilient_session(total=0, logger=None))
    (tmp_path / "file.part").write_bytes(BODY)
    site = Site()
    from_site(site)
    assert site.asked == ["bytes=699999-"]
    assert (tmp_path / "file").read_bytes() == BODY


def test_length_is_learned_from_the_first_range(from_site, tmp_path):
    with pytest.raises(ChunkedEncodingError):
        from_site(Site(300_000, framing="chunked"), session=resilient_session(total=0, logger=None))
    seen = []
    from_site(Site(framing="chunked"), progress=lambda done, total: seen.append((done, total)))
    assert (tmp_path / "file").read_bytes() == BODY
    assert seen[0][1] == seen[-1][0] == len(BODY)


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_other_version_is_never_joined(from_site, tmp_path, knows_ranges):
    with pytest.raises(ChunkedEncodingError):
        from_site(Site(300_000), session=resilient_session(total=0, logger=None))
    newer = BODY[::-1]
    from_site(Site(body=newer, headers={"ETag": '"v2"'}, knows_ranges=knows_ranges))
    assert (tmp_path / "file").read_bytes() == newer


def test_version_that_changes_meanwhile_begins_anew_in_the_same_run(from_site, tmp_path):
    older, newer = Site(300_000), Site(body=BODY[::-1], headers={"ETag": '"v2"'})
    from_site(lambda request: older(request) if older.cuts else newer(request))
    assert (tmp_path / "file").read_bytes() == BODY[::-1]


def test_server_that_changes_its_mind_each_time_does_not_go_on_for_ever(from_site, tmp_path):
    versions = iter(range(100))

    def site(request):
        return Reply(200, BODY, headers={"ETag": f'"{next(versions)}"'}, cut="body", after=1000)

    with pytest.raises(ChunkedEncodingError):
        from_site(site)
    assert next(versions) < 10


def test_part_of_another_url_is_never_joined(from_site, tmp_path):
    with pytest.raises(ChunkedEncodingError):
        from_site(Site(300_000), session=resilient_session(total=0, logger=None))
    with FaultServer(default=Site(body=BODY[::-1])) as server:
        from_site(None, url=server.url("/other"))
    assert (tmp_path / "file").read_bytes() == BODY[::-1]


BAD_NOTES = [
    b"",
    b"no JSON",
    b"[]",
    b"{}",
    b"[" * 100_000,
    b'{"whole": ["ETag", "\\"v1\\"", "", 700000]}',
    b'{"whole": ["ETag", "\\"v1\\"", "", "700000", false], "digests": {}, "url": "URL"}',
    b'{"whole": ["ETag", "\\"v1\\"\\r\\nX: y", "", 700000, false], "digests": {}, "url": "URL"}',
    b'{"whole": ["ETag", "\\"v1\\"", "", 100, false], "digests": {}, "url": "URL"}',
    b'{"whole": ["ETag", "\\"v1\\"", "", 700000, false], "digests": [], "url": "URL"}',
    b'{"whole": ["ETag", "\\"v1\\"", "", 700000, false], "digests": {}, "url": 7}',
    b'{"whole": ["ETag", "\\"v1\\"", "", 700000, false], "digests": {"md5": "0"}, "url": "URL"}',
]


@pytest.mark.parametrize("note", BAD_NOTES)
def test_note_that_makes_no_sense_counts_as_none(from_site, tmp_path, note):
    with pytest.raises(ChunkedEncodingError):
        from_site(Site(300_000), session=resilient_session(total=0, logger=None))
    path = tmp_path / "file.part.json"
    url = json.loads(path.read_bytes())["url"]
    path.write_bytes(note.replace(b"URL", url.encode()))
    site = Site()
    from_site(site)
    assert site.asked == [None]
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize(
    "wrong",
    [
        Reply(206, BODY[9:], headers={**ETAG, "Content-Range": "bytes 9-699999/700000"}),
        Reply(206, BODY[299_999:], headers={"Content-Range": "bytes 299999-699999/700000"}),
        Reply(206, BODY[299_999:], headers={**ETAG, "Content-Range": "bytes 299999-699999/800000"}),
        Reply(206, BODY[299_999:], headers=ETAG),
        Reply(416, b"", headers={"Content-Range": "bytes */5"}),
    ],
)
def test_wrong_response_to_a_range_request_leads_to_a_plain_request(from_site, tmp_path, wrong):
    with pytest.raises(ChunkedEncodingError):
        from_site(Site(300_000), session=resilient_session(total=0, logger=None))
    site = Site()
    from_site(lambda request: wrong if "Range" in request.headers else site(request))
    assert site.asked == [None]
    assert (tmp_path / "file").read_bytes() == BODY


def test_range_that_ends_before_its_end_is_a_break(from_site, tmp_path):
    """It has no length of its own, and its connection is closed in order."""
    site = Site(1000)

    def early(request):
        if request.headers.get("Range") != "bytes=1000-":
            return site(request)
        headers = {**ETAG, "Content-Range": "bytes 1000-699999/700000"}
        return Reply(206, BODY[1000:2000], headers=headers, framing="close")

    from_site(early)
    assert (tmp_path / "file").read_bytes() == BODY
    assert site.asked == [None, "bytes=2000-"]


def test_length_once_learned_holds(from_site, tmp_path):
    """Two ranges that name different lengths are not of one file."""
    site, asked = Site(100_000, framing="chunked"), []

    def lying(request):
        asked.append(request.headers.get("Range"))
        if len(asked) != 2:
            return site(request)
        start = int(asked[1][6:-1])
        return Reply(206, b"?", headers={**ETAG, "Content-Range": f"bytes {start}-{start}/700001"})

    from_site(lying)
    assert (tmp_path / "file").read_bytes() == BODY
    assert asked[2:] == [f"bytes={int(asked[1][6:-1]) + 1}-", None]


def test_server_that_never_sends_the_right_range_does_not_go_on_for_ever(from_site, tmp_path):
    site = Site(*[1000] * 20)
    wrong = Reply(206, BODY, headers={**ETAG, "Content-Range": "bytes 0-699999/700000"})
    with pytest.raises(ChunkedEncodingError, match="the download broke after 0 bytes: the range begins at 0"):
        from_site(lambda request: wrong if "Range" in request.headers else site(request))
    assert len(site.asked) == 2
    assert names(tmp_path) == []


def test_link_that_expires_meanwhile_is_followed_anew(from_site, tmp_path):
    """A signed URL to which the first one redirects."""
    site, links = Site(300_000), iter(range(1, 100))

    def moving(request):
        if request.path.startswith("/x"):
            return Reply(302, headers={"Location": f"/signed/{next(links)}"})
        expired = request.path == "/signed/1" and not site.cuts
        return Reply(403, "expired") if expired else site(request)

    from_site(moving)
    assert (tmp_path / "file").read_bytes() == BODY
    assert site.asked == [None, "bytes=300000-"]


@pytest.mark.parametrize("status", [204, 206, 300, 304, 401, 404, 416, 500])
def test_status_without_a_file_is_an_error_and_leaves_nothing(fetch, tmp_path, status):
    with pytest.raises(requests.HTTPError, match=f"status {status} .*token=\\*\\*\\*$") as caught:
        fetch(lambda request: Reply(status, "" if status in {204, 304} else "why"))
    assert caught.value.response.status_code == status
    assert attempts_of(caught.value)
    assert caught.value.response.text == ("" if status in {204, 304} else "why")
    assert names(tmp_path) == []


def test_server_that_fails_for_good_while_it_goes_on_is_an_error_and_keeps_the_part(from_site, tmp_path):
    site = Site(300_000)
    with pytest.raises(requests.HTTPError, match="status 503"):
        from_site(lambda request: site(request) if site.cuts else Reply(503))
    assert names(tmp_path) == ["file.part", "file.part.json"]


def test_old_file_stays_until_the_new_one_is_whole(from_site, tmp_path):
    (tmp_path / "file").write_bytes(b"before")
    with pytest.raises(ChunkedEncodingError):
        from_site(Site(300_000), session=resilient_session(total=0, logger=None))
    assert (tmp_path / "file").read_bytes() == b"before"
    from_site(Site())
    assert (tmp_path / "file").read_bytes() == BODY


def test_digest_is_checked(fetch, tmp_path):
    wrong = "0" * 64
    with pytest.raises(DigestMismatch, match=f"the sha256 is {SHA256}; expected {wrong}"):
        fetch(Site(), sha256=wrong)
    assert names(tmp_path) == []
    fetch(Site(), sha256=SHA256.upper())


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("cut", [None, 1000])
def test_digest_that_the_server_sends_is_checked(fetch, tmp_path, algorithm, cut):
    def digest(body):
        value = base64.b64encode(hashlib.new(algorithm, body).digest()).decode()
        return {"Repr-Digest": f"md5=:AAAA:, {algorithm.replace('sha', 'sha-')}=:{value}:", **ETAG}

    fetch(Site(cut, headers=digest(BODY)))
    with pytest.raises(DigestMismatch, match=f"the {algorithm} is"):
        fetch(Site(cut, headers=digest(b"other")))
    assert names(tmp_path) == ["file"]


def test_digest_of_the_first_run_is_checked_in_the_second(from_site, tmp_path):
    value = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    with pytest.raises(ChunkedEncodingError):
        from_site(
            Site(300_000, headers={**ETAG, "Repr-Digest": f"sha-256=:{value}:"}),
            session=resilient_session(total=0, logger=None),
        )
    with pytest.raises(DigestMismatch):
        from_site(Site())
    assert names(tmp_path) == []


@pytest.mark.parametrize("cut", [None, 1000])
@pytest.mark.parametrize("sha256", [None, SHA256])
def test_file_that_is_sent_in_a_coding_all_the_same_is_decoded(fetch, tmp_path, cut, sha256):
    coded = gzip.compress(BODY)
    value = base64.b64encode(hashlib.sha256(coded).digest()).decode()
    site = Site(cut, body=coded, headers={**ETAG, "Content-Encoding": "gzip", "Repr-Digest": f"sha-256=:{value}:"})
    fetch(site, sha256=sha256)
    assert (tmp_path / "file").read_bytes() == BODY
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("body", [gzip.compress(BODY)[:-1000], b"no gzip at all"])
def test_file_that_cannot_be_decoded_is_an_error(fetch, tmp_path, body):
    with pytest.raises(requests.RequestException):
        fetch(Site(body=body, headers={**ETAG, "Content-Encoding": "gzip"}))
    assert names(tmp_path) == []


def test_empty_file(fetch, tmp_path):
    fetch(Site(body=b""))
    assert (tmp_path / "file").read_bytes() == b""


def test_permissions_are_those_of_the_umask(fetch, tmp_path):
    before = os.umask(0o027)
    try:
        fetch(Site())
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_two_at_once_do_not_mix(from_site, tmp_path):
    """The second finds the part locked, and does its work in a file of its own."""
    inner = Site(body=BODY[::-1], headers={"ETag": '"v2"'})
    with FaultServer(default=inner) as other:

        def progress(done, total):
            if done and not inner.asked:
                download(other.url(), tmp_path / "file", session=resilient_session())
                assert (tmp_path / "file").read_bytes() == BODY[::-1]
                assert names(tmp_path) == ["file", "file.part", "file.part.json"]

        from_site(Site(), progress=progress)
    assert (tmp_path / "file").read_bytes() == BODY
    assert names(tmp_path) == ["file"]


def test_private_file_does_not_stay_after_a_failure(from_site, tmp_path):
    inner = Site(1000)
    with FaultServer(default=inner) as other:

        def progress(done, total):
            if done and not inner.asked:
                with pytest.raises(ChunkedEncodingError):
                    download(other.url(), tmp_path / "file", session=resilient_session(total=0, logger=None))
                assert names(tmp_path) == ["file.part", "file.part.json"]

        from_site(Site(), progress=progress)
    assert (tmp_path / "file").read_bytes() == BODY


def test_many_threads_on_one_path(tmp_path):
    site = Site(*[None, 1000] * 20)
    with FaultServer(default=site) as server, resilient_session(logger=None) as session:
        threads = [
            threading.Thread(target=download, args=(server.url(), tmp_path / "file"), kwargs={"session": session})
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (tmp_path / "file").read_bytes() == BODY
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("is_coded", [False, True])
def test_part_that_somebody_removes_meanwhile_does_no_harm(from_site, tmp_path, is_coded):
    """And makes anew: what is there then is not ours."""

    def progress(done, total):
        if done:
            (tmp_path / "file.part").unlink(missing_ok=True)
            (tmp_path / "file.part").write_bytes(b"of somebody else")

    coding = {"Content-Encoding": "gzip"} if is_coded else {}
    from_site(Site(body=gzip.compress(BODY) if is_coded else BODY, headers={**ETAG, **coding}), progress=progress)
    assert (tmp_path / "file").read_bytes() == BODY
    assert (tmp_path / "file.part").read_bytes() == b"of somebody else"


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_part_that_is_no_ordinary_file_is_not_touched(fetch, tmp_path, kind):
    part, elsewhere = tmp_path / "file.part", tmp_path / "elsewhere"
    elsewhere.write_bytes(b"kept")
    if kind == "link":
        part.symlink_to(elsewhere)
    elif kind == "folder":
        part.mkdir()
    else:
        os.mkfifo(part)
    fetch(Site())
    assert (tmp_path / "file").read_bytes() == BODY
    assert elsewhere.read_bytes() == b"kept"
    assert names(tmp_path) == ["elsewhere", "file", "file.part"]


@pytest.mark.parametrize("place", ["no/such/folder/file", "."])
def test_path_that_cannot_be_written_is_an_error_before_anything_is_sent(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    with FaultServer() as server:
        with pytest.raises(OSError, match=place):
            download(server.url(), place)
        assert not server.requests
    assert names(tmp_path) == []


def test_full_disk_is_an_error_and_the_next_run_goes_on(from_site, tmp_path):
    """A limit on the size of files ends writes as a full disk does: after a part of them."""
    resource = pytest.importorskip("resource", reason="needs Unix")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large") as caught:
            from_site(Site())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not isinstance(caught.value, requests.RequestException)
    assert (tmp_path / "file.part").read_bytes() == BODY[:250_000]
    site = Site()
    from_site(site)
    assert site.asked == ["bytes=249999-"]
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("error", [KeyboardInterrupt, requests.ConnectionError, ValueError])
def test_what_progress_raises_ends_the_download_and_keeps_the_part(from_site, tmp_path, error):
    def progress(done, total):
        if done > 100_000:
            raise error

    with pytest.raises(error):
        from_site(Site(), progress=progress)
    size = (tmp_path / "file.part").stat().st_size
    assert size > 100_000
    site = Site()
    from_site(site)
    assert site.asked == [f"bytes={size - 1}-"]
    assert (tmp_path / "file").read_bytes() == BODY


def test_progress_is_reported(fetch):
    seen = []
    fetch(Site(1000), progress=lambda done, total: seen.append((done, total)))
    done = [one for one, _ in seen]
    assert done == sorted(done)
    assert (seen[0], seen[-1]) == ((0, len(BODY)), (len(BODY), len(BODY)))
    assert 1000 in done


def test_progress_without_a_known_length(fetch):
    seen = []
    fetch(Site(framing="chunked"), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(BODY), None)


@pytest.mark.parametrize("progress", [None, False])
def test_progress_may_be_none(fetch, capsys, progress):
    fetch(Site(), progress=progress)
    assert capsys.readouterr().err == ""


def test_bar_is_quiet_where_there_is_no_terminal(fetch, capsys):
    pytest.importorskip("tqdm", reason="needs the extra")
    fetch(Site(1000, headers={}), progress=True)
    assert "file" not in capsys.readouterr().err


def test_bar_on_a_terminal(from_site, tmp_path, monkeypatch, capsys):
    pytest.importorskip("tqdm", reason="needs the extra")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with pytest.raises(ChunkedEncodingError):
        from_site(Site(300_000), session=resilient_session(total=0, logger=None), progress=True)
    from_site(Site(1000), progress=True)
    shown = capsys.readouterr().err
    assert "file: 100%" in shown
    assert "700k/700k" in shown


def test_bar_needs_its_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r"resilient-session\[progress\]"):
        download("http://127.0.0.1:9/", tmp_path / "file", progress=True)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sha256": "abc"}, ValueError, "sha256='abc': must be 64 hexadecimal digits"),
        ({"sha256": b"0" * 64}, TypeError, "sha256=.*: must be a string of 64 hexadecimal digits, or None"),
        ({"progress": "bar"}, TypeError, "progress='bar': must be a function of"),
        ({"session": requests}, TypeError, "session=.*: must be a requests.Session instance or None"),
    ],
)
def test_wrong_argument_is_one_clear_error(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        download("http://127.0.0.1:9/", tmp_path / "file", **arguments)
    assert names(tmp_path) == []


def test_session_of_plain_requests_does_not_retry_but_goes_on_next_time(from_site, tmp_path):
    with requests.Session() as plain:
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            from_site(Site(300_000), session=plain)
        site = Site()
        from_site(site, session=plain)
    assert site.asked == ["bytes=299999-"]
    assert (tmp_path / "file").read_bytes() == BODY


def test_silence_is_a_break(tmp_path):
    site = Site(300_000, by="stall")
    session = resilient_session(timeout=(5, 0.2), backoff_factor=0, logger=None)
    with FaultServer(default=site) as server:
        download(server.url(), tmp_path / "file", session=session)
    assert (tmp_path / "file").read_bytes() == BODY
    first, second = site.asked
    assert first is None
    assert 300_000 - LOST <= int(second[6:-1]) <= 300_000


def test_deadline_around_it_holds(tmp_path):
    site = Site(300_000, by="stall")
    with FaultServer(default=site) as server, pytest.raises(DeadlineExceeded), deadline(0.5):
        download(server.url(), tmp_path / "file", session=resilient_session(logger=None))
    part = (tmp_path / "file.part").read_bytes()
    assert BODY.startswith(part)
    assert 300_000 - LOST <= len(part) <= 300_000


def test_deadline_of_the_session_is_for_the_head_alone(tmp_path, clock):
    with FaultServer(default=Site(1000)) as server:
        session = resilient_session(deadline=10, clock=clock, logger=None)
        download(server.url(), tmp_path / "file", session=session, progress=lambda *_: clock.sleep(6))
    assert (tmp_path / "file").read_bytes() == BODY


def test_works_where_the_option_resume_is_off(tmp_path, clock):
    with FaultServer(default=Site(1000)) as server:
        session = resilient_session(resume=False, clock=clock, logger=None)
        download(server.url(), tmp_path / "file", session=session)
    assert (tmp_path / "file").read_bytes() == BODY


def test_events(tmp_path, clock, events):
    session = resilient_session(total=1, clock=clock, logger=None, on_event=events.append)
    with FaultServer(default=Site(1000, 0, 0)) as server, pytest.raises(ChunkedEncodingError):
        download(server.url(), tmp_path / "file", session=session)
    streams = [event for event in events if isinstance(event, (StreamResumed, StreamBroken))]
    assert [(type(event), event.received, event.total) for event in streams] == [
        (StreamResumed, 1000, len(BODY)),
        (StreamResumed, 1000, len(BODY)),
        (StreamBroken, 1000, len(BODY)),
    ]


def test_mocked_session(tmp_path):
    with responses.RequestsMock() as mocked:
        mocked.get("https://api.example.com/x", body=BODY)
        download("https://api.example.com/x", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


def test_mocked_body_that_is_too_short(tmp_path):
    with responses.RequestsMock() as mocked:
        mocked.get(
            "https://api.example.com/x",
            body=b"half",
            headers={"Content-Length": "8"},
            auto_calculate_content_length=False,
        )
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            download("https://api.example.com/x", tmp_path / "file", session=requests.Session())


def test_where_nothing_can_be_locked_each_run_has_a_file_of_its_own(from_site, tmp_path, monkeypatch):
    monkeypatch.setattr(_part, "_TIMES", 0)
    with pytest.raises(ChunkedEncodingError):
        from_site(Site(300_000), session=resilient_session(total=0, logger=None))
    assert names(tmp_path) == []
    from_site(Site(1000, framing="chunked"))
    assert (tmp_path / "file").read_bytes() == BODY
    assert names(tmp_path) == ["file"]


def test_part_completed_by_somebody_else_at_this_moment_is_not_used(fetch, tmp_path, monkeypatch):
    real, others = os.open, iter([True, False])

    def opened(path, *arguments):
        descriptor = real(path, *arguments)
        if str(path).endswith("file.part") and next(others, False):
            os.rename(path, tmp_path / "file")  # noqa: PTH104
        return descriptor

    monkeypatch.setattr(_part.os, "open", opened)
    fetch(Site())
    assert (tmp_path / "file").read_bytes() == BODY
    assert names(tmp_path) == ["file"]


def test_part_that_is_completed_each_time_gives_way_to_a_file_of_its_own(fetch, tmp_path, monkeypatch):
    real = os.open

    def opened(path, *arguments):
        descriptor = real(path, *arguments)
        if str(path).endswith("file.part"):
            os.unlink(path)  # noqa: PTH108
        return descriptor

    monkeypatch.setattr(_part.os, "open", opened)
    fetch(Site())
    assert names(tmp_path) == ["file"]


def test_decoded_file_that_cannot_be_written_leaves_nothing_of_it(from_site, tmp_path, monkeypatch):
    monkeypatch.setattr(_part.os, "fsync", refuse)
    with pytest.raises(OSError, match="full"):
        from_site(Site(body=gzip.compress(BODY), headers={**ETAG, "Content-Encoding": "gzip"}))
    assert names(tmp_path) == ["file.part", "file.part.json"]


def refuse(*_):
    raise OSError(errno.ENOSPC, "full")
