"""The origin of a URL, as storm control names it."""

import pytest

from resilient_session._limits._origin import origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.example.com/a?b=c", "https://api.example.com"),
        ("https://api.example.com", "https://api.example.com"),
        ("HTTPS://API.Example.com:443/", "https://api.example.com"),
        ("http://api.example.com:80?x", "http://api.example.com"),
        ("http://api.example.com:443/", "http://api.example.com:443"),
        ("http://user:pass@host:8080/x@y", "http://host:8080"),
        ("http://us@er@host#f", "http://host"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("http://[::1]/", "http://[::1]"),
        ("http+unix://%2Frun%2Fsocket/x", "http+unix://%2frun%2fsocket"),
        ("nonsense", "other"),
        ("", "other"),
    ],
)
def test_origin_is_scheme_host_and_port_alone(url, origin):
    assert origin_of(url) == origin
