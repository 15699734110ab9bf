"""What may be shown of a URL, a request or an error."""

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, ProtocolError

from resilient_session._redact import chain, redact_error, redact_url

# What RFC 3986 lets stand unescaped in the place, but for what the tests cut URLs at.
UNRESERVED = "ABCXYZabcxyz0189-._~"
SUB_DELIMS = "!$'()*+,;"
marked = st.text(UNRESERVED + SUB_DELIMS, max_size=12).map(lambda text: f"s3cr3t{text}s3cr3t")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com:8443/a/b;c", "https://example.com:8443/a/b;c"),
        ("https://user:pw@example.com/a", "https://***@example.com/a"),
        ("https://user@example.com", "https://***@example.com"),
        ("https://@example.com", "https://***@example.com"),
        ("https://me:pw@example.com//a@b", "https://***@example.com//a@b"),
        ("https://me:it's@example.com", "https://***@example.com"),
        ("https://me@work:p@w@example.com/", "https://***@example.com/"),
        ("//user:pw@example.com/", "//***@example.com/"),
        ("https://example.com/@handle", "https://example.com/@handle"),
        ("https://example.com/a?key=secret", "https://example.com/a?key=***"),
        ("https://example.com/?a=1&b=2", "https://example.com/?a=***&b=***"),
        ("https://example.com/?a=", "https://example.com/?a=***"),
        ("https://example.com/?a=b=c", "https://example.com/?a=***"),
        ("https://example.com/?a=b?c", "https://example.com/?a=***"),
        ("https://example.com/?token", "https://example.com/?***"),
        ("https://example.com/?=value", "https://example.com/?=***"),
        ("https://example.com/?", "https://example.com/?"),
        ("https://example.com/?a=1&&token", "https://example.com/?a=***&&***"),
        ("https://example.com/?to=me@example.com", "https://example.com/?to=***"),
        ("https://example.com/a#access_token=1", "https://example.com/a"),
        ("https://example.com/?a=1#b?c=2", "https://example.com/?a=***"),
        ("https://example.com/#b?c=2", "https://example.com/"),
        ("https://user:pw@[::1]:80", "https://***@[::1]:80"),
        ("", ""),
        ("no url at all", "no url at all"),
    ],
)
def test_a_url_is_shown_without_userinfo_query_values_and_fragment(url, shown):
    assert redact_url(url) == shown


@given(user=marked, password=marked, name=st.sampled_from(["a", "key", ""]), value=marked, fragment=marked)
def test_no_secret_of_a_url_survives(user, password, name, value, fragment):
    url = f"https://{user}:{password}@example.com/path?{name}={value}&{value}#{fragment}"
    assert redact_url(url) == f"https://***@example.com/path?{name}=***&***"


@given(user=marked, password=marked, value=marked, token=marked)
def test_no_secret_of_a_request_survives_in_an_error_or_what_led_to_it(user, password, value, token):
    request = requests.Request(
        "GET", f"https://{user}:{password}@example.com/path?key={value}", headers={"X-Token": token}
    ).prepare()
    reason = ProtocolError(f"no answer to {request.url} with {token}")
    error = requests.ConnectionError(MaxRetryError(HTTPConnectionPool("example.com"), request.path_url, reason))
    error.__cause__ = ValueError(f"{token} for {request.path_url}")
    redact_error(error, request)
    told = "".join(f"{link} {link!r}" for link in chain(error))
    assert "s3cr3t" not in told
    assert "/path?key=***" in told


def prepared(url="https://example.com/", **headers):
    return requests.Request(
        "GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()}
    ).prepare()


def redacted(error, request=None, proxies=None):
    redact_error(error, request or prepared(), proxies)
    return str(error)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at /a?key=secret (again)", "at /a?key=*** (again)"),
        ("at '/a?key=secret'", "at '/a?key=***'"),
        (
            "from http://me:pw@a.example to http://b.example/?x=1",
            "from http://***@a.example to http://b.example/?x=***",
        ),
        ("http://me:pw@a.example and http://me:pw@b.example", "http://***@a.example and http://***@b.example"),
        ("is it a? or not", "is it a? or not"),
        ("timed out after 3 s", "timed out after 3 s"),
    ],
)
def test_urls_that_are_not_the_request_s_own_are_redacted_in_a_text_too(text, shown):
    assert redacted(ValueError(text)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("12345678", "sent ***"),
        (b"12345678", "sent ***"),
        ("1234567", "sent 1234567"),
    ],
)
def test_header_values_are_hidden_if_they_are_long_enough_for_a_secret(value, shown):
    text = value.decode() if isinstance(value, bytes) else value
    assert redacted(ValueError(f"sent {text}"), prepared(X_Token=value)) == shown


@pytest.mark.parametrize("value", [" " * 9, "\t" * 9, "  1234567  "])
def test_blanks_around_a_header_value_make_it_no_secret(value):
    request = prepared()
    request.headers["X-Token"] = value
    assert redacted(ValueError("sent 1234567  to it"), request) == "sent 1234567  to it"


def test_notes_of_an_error_are_redacted_too():
    """As `add_note` leaves them, from Python 3.11 on."""
    error = ValueError("nothing")
    error.__notes__ = ["at https://me:secret@example.com/", 5]
    redact_error(error, prepared())
    assert error.__notes__ == ["at https://***@example.com/", 5]


def test_headers_may_be_any_mapping():
    request = prepared()
    request.headers = {"X-Token": "12345678", "Host": "shop.example"}
    assert redacted(ValueError("sent 12345678 to shop.example"), request) == "sent *** to shop.example"


@pytest.mark.parametrize("rest", ["?key=it's(the)secret&b=1", "?key=it's?b=1&b=c", "?key=it's&b=1#part"])
def test_a_query_with_quotes_and_brackets_is_hidden_whole(rest):
    request = prepared(f"https://example.com/a{rest}")
    assert redacted(ValueError(f"url: {request.path_url} failed"), request) == "url: /a?key=***&b=*** failed"


def test_the_fragment_of_the_request_is_hidden():
    request = prepared("https://example.com/a#token")
    assert redacted(ValueError("at https://example.com/a#token!"), request) == "at https://example.com/a!"


def test_the_credentials_of_proxies_are_hidden():
    proxies = {"https": "http://me:it's@proxy:8080", "http": ""}
    assert (
        redacted(OSError("no way to http://me:it's@proxy:8080"), proxies=proxies)
        == "no way to http://***@proxy:8080"
    )


def test_an_error_whose_text_is_not_in_its_arguments_is_redacted_too():
    error = OSError(5, "no answer from https://me:secret@example.com/?key=secret")
    assert redacted(error) == "[Errno 5] no answer from https://***@example.com/?key=***"


def test_arguments_that_are_no_text_stay_as_they_are():
    error = ValueError(b"?a=1", 5, None, "?a=1")
    redact_error(error, prepared())
    assert error.args == (b"?a=1", 5, None, "?a=***")


def test_a_request_that_is_not_prepared_has_no_secrets():
    assert redacted(ValueError("nothing"), requests.PreparedRequest()) == "nothing"


def test_the_request_itself_is_left_alone():
    request = prepared("https://me:pw@example.com/?a=1", X_Trace="12345678")
    redact_error(ValueError(request.url), request)
    assert (request.url, request.headers["X-Trace"]) == ("https://me:pw@example.com/?a=1", "12345678")


def test_a_chain_lists_cause_context_reason_and_arguments_each_once():
    cause, context, argument = ValueError("cause"), KeyError("context"), OSError("argument")
    reason = MaxRetryError(HTTPConnectionPool("example.com"), "/", cause)
    error = TypeError("text", argument, reason)
    error.__cause__, error.__context__ = cause, context
    assert {*chain(error)} == {error, cause, context, argument, reason}
    assert len(chain(error)) == 5


def test_a_chain_that_bites_its_tail_ends():
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert [*chain(first)] == [first, second]


def test_a_chain_ends_at_what_a_caller_is_handling():
    def failing():
        try:
            raise OSError("inner")  # noqa: TRY301 - the frames matter
        except OSError:
            raise ValueError("outer")  # noqa: B904 - its context matters

    def caught():
        try:
            failing()
        except ValueError as error:
            return chain(error)

    try:
        raise KeyError("of the caller")  # noqa: TRY301 - the frames matter
    except KeyError:
        links = caught()
    assert [str(link) for link in links] == ["outer", "inner"]


def test_a_chain_goes_on_where_an_error_passed_through_what_handled_the_other():
    """The second is caught below the frame that handles the first, and the third passes through both."""

    def raising():
        raise OSError("second")

    def handling_the_second():
        try:
            raising()
        except OSError:
            raise ValueError("third")  # noqa: B904 - its context matters

    def handling_the_first():
        try:
            raise KeyError("first")  # noqa: TRY301 - the frames matter
        except KeyError:
            handling_the_second()

    with pytest.raises(ValueError, match="third") as found:
        handling_the_first()
    assert [str(link) for link in chain(found.value)] == ["third", "second", "'first'"]
