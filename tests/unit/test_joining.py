"""Which parts of a body may be joined: every rule, and each way to miss it by a little."""

from __future__ import annotations

import pytest
from requests.structures import CaseInsensitiveDict

from resilient_session._policy._joining import Part, Whole, asking_for, part_of, whole_of

DATES = {"Last-Modified": "Thu, 01 Jan 2026 11:00:00 GMT", "Date": "Thu, 01 Jan 2026 12:00:00 GMT"}
ETAG = {"ETag": '"v1"'}
WHOLE = Whole("ETag", '"v1"', "", 100)
RANGE = {**ETAG, "Content-Range": "bytes 40-99/100"}


def headers(*parts, **more):
    return CaseInsensitiveDict({name: value for part in (*parts, more) for name, value in part.items()})


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        (ETAG, Whole("ETag", '"v1"', "", 100)),
        ({"ETag": '""'}, Whole("ETag", '""', "", 100)),
        ({**ETAG, **DATES}, Whole("ETag", '"v1"', "", 100)),
        ({**ETAG, "Content-Encoding": " GZip "}, Whole("ETag", '"v1"', "gzip", 100)),
        ({**ETAG, "Accept-Ranges": "bytes"}, Whole("ETag", '"v1"', "", 100)),
        ({**ETAG, "Transfer-Encoding": "chunked"}, Whole("ETag", '"v1"', "", 100, chunked=True)),
        (DATES, Whole("Last-Modified", DATES["Last-Modified"], "", 100)),
        (
            {**DATES, "Transfer-Encoding": "chunked"},
            Whole("Last-Modified", DATES["Last-Modified"], "", 100, chunked=True),
        ),
        (
            {**DATES, "Last-Modified": "Thu, 01 Jan 2026 11:59:00 GMT"},
            Whole("Last-Modified", "Thu, 01 Jan 2026 11:59:00 GMT", "", 100),
        ),
        ({**DATES, "Last-Modified": "Thu, 01 Jan 2026 11:59:01 GMT"}, None),
        ({**DATES, "Last-Modified": "Thu, 01 Jan 2026 13:00:00 GMT"}, None),
        ({**DATES, "Last-Modified": "yesterday"}, None),
        ({"Last-Modified": DATES["Last-Modified"]}, None),
        ({**DATES, "Date": "now"}, None),
        ({**DATES, "Date": "Thu, 01 Jan 2026 12:00:00 -0000"}, None),
        ({}, None),
        ({"ETag": 'W/"v1"'}, None),
        ({"ETag": 'W/"v1"', **DATES}, None),
        ({"ETag": "v1"}, None),
        ({"ETag": '"v1", "v2"'}, None),
        ({"ETag": '"a b"'}, None),
        ({**ETAG, "Accept-Ranges": "none"}, None),
        ({**ETAG, "Accept-Ranges": " None "}, None),
    ],
)
def test_body_whose_parts_may_be_joined(given, whole):
    assert whole_of(headers(given), 100) == whole


def test_headers_of_the_request_for_the_rest():
    assert asking_for(WHOLE, 40) == {"Range": "bytes=40-", "If-Range": '"v1"'}


@pytest.mark.parametrize(
    ("status", "given", "part"),
    [
        (206, {}, Part(40, 100, 100)),
        (206, {"Content-Length": "60"}, Part(40, 100, 100)),
        (206, {"Content-Range": "bytes 40-40/100"}, Part(40, 41, 100)),
        (206, {"Content-Range": " bytes  40-59/100 "}, Part(40, 60, 100)),
        (206, {"Content-Length": "7", "Transfer-Encoding": "chunked"}, Part(40, 100, 100)),
        (206, {"Content-Length": "59"}, "the Content-Length is not that of the range"),
        (206, {"Content-Length": "sixty"}, "the Content-Length is not that of the range"),
        (206, {"Content-Range": "bytes 39-99/100"}, "the range begins at 39"),
        (206, {"Content-Range": "bytes 41-99/100"}, "the range begins at 41"),
        (206, {"Content-Range": "bytes 40-39/100"}, "the range does not fit the length of the body"),
        (206, {"Content-Range": "bytes 40-100/100"}, "the range does not fit the length of the body"),
        (206, {"Content-Range": "bytes 40-99/101"}, "the range does not fit the length of the body"),
        (206, {"Content-Range": "bytes 40-98/99"}, "the range does not fit the length of the body"),
        (206, {"Content-Range": "bytes 40-99/*"}, "the Content-Range is missing or not of one range"),
        (
            206,
            {"Content-Range": "bytes 40-59/100, bytes 60-99/100"},
            "the Content-Range is missing or not of one range",
        ),
        (206, {"Content-Range": "items 40-99/100"}, "the Content-Range is missing or not of one range"),
        (206, {"Content-Range": ""}, "the Content-Range is missing or not of one range"),
        (206, {"ETag": '"v2"'}, "the ETag is another one, or missing"),
        (206, {"ETag": 'W/"v1"'}, "the ETag is another one, or missing"),
        (206, {"Content-Encoding": "gzip"}, "the Content-Encoding is another one"),
        (416, {"Content-Range": "bytes */40"}, "status 416 in response to a Range request"),
        (304, {}, "status 304 in response to a Range request"),
        (201, {}, "status 201 in response to a Range request"),
        (200, {"Content-Length": "100"}, "the server sends the whole body again"),
    ],
)
def test_part_that_a_response_carries(status, given, part):
    assert part_of(WHOLE, 40, status, headers(RANGE, given), is_untouched=False) == part


def test_part_without_the_validator_is_refused():
    given = headers({"Content-Range": "bytes 40-99/100"})
    assert part_of(WHOLE, 40, 206, given, is_untouched=True) == "the ETag is another one, or missing"


def test_part_without_its_place_is_refused():
    reason = "the Content-Range is missing or not of one range"
    assert part_of(WHOLE, 40, 206, headers(ETAG), is_untouched=False) == reason


def test_length_that_is_no_number_fits_no_range():
    given = headers(ETAG, {"Content-Range": "bytes 40-40/100", "Content-Length": "one"})
    assert part_of(WHOLE, 40, 206, given, is_untouched=False) == "the Content-Length is not that of the range"


@pytest.mark.parametrize("coding", ["gzip", " GZip "])
def test_part_in_the_same_coding(coding):
    given = headers(RANGE, {"Content-Encoding": coding})
    assert part_of(WHOLE._replace(coding="gzip"), 40, 206, given, is_untouched=False) == Part(40, 100, 100)


def test_part_by_date_has_the_same_date_and_no_etag():
    whole = Whole("Last-Modified", DATES["Last-Modified"], "", 100)
    given = headers(DATES, {"Content-Range": "bytes 40-99/100"})
    assert part_of(whole, 40, 206, given, is_untouched=False) == Part(40, 100, 100)
    given["ETag"] = '"v1"'
    assert part_of(whole, 40, 206, given, is_untouched=False) == "the Last-Modified is another one, or missing"


def test_first_part_of_a_body_in_chunks_tells_the_length():
    whole = Whole("ETag", '"v1"', "", None, chunked=True)
    assert part_of(whole, 40, 206, headers(RANGE), is_untouched=False) == Part(40, 100, 100)


@pytest.mark.parametrize(
    ("whole", "given", "part"),
    [
        (WHOLE, {"Content-Length": "100"}, Part(0, 100, 100)),
        (WHOLE, {"Content-Length": "99"}, "the length is another one"),
        (WHOLE, {}, "the length is another one"),
        (WHOLE, {"Content-Length": "100", "ETag": '"v2"'}, "the ETag is another one, or missing"),
        (WHOLE, {"Content-Length": "100", "Content-Encoding": "br"}, "the Content-Encoding is another one"),
        (WHOLE._replace(length=None), {}, Part(0, None, None)),
        (WHOLE._replace(length=None), {"Content-Length": "100"}, "the length is another one"),
        (WHOLE._replace(length=None), {"Transfer-Encoding": "chunked"}, "the length is another one"),
        (WHOLE._replace(length=None, chunked=True), {"Transfer-Encoding": "chunked"}, Part(0, None, None)),
        (WHOLE._replace(length=None, chunked=True), {}, "the length is another one"),
    ],
)
def test_body_that_nobody_saw_begins_anew(whole, given, part):
    assert part_of(whole, 40, 200, headers(ETAG, given), is_untouched=True) == part
