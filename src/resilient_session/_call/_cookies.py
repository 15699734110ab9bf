"""Cookies set by failed attempts: they reach the next attempt, and the session."""

from __future__ import annotations

from http.client import HTTPMessage
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from requests.cookies import RequestsCookieJar, extract_cookies_to_jar, get_cookie_header

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

    from requests import PreparedRequest, Response


def carry(request: PreparedRequest, response: Response, session_jar: CookieJar | None) -> PreparedRequest:
    """Return the request with the cookies of a response, as `Session` does from hop to hop.

    The caller's request is not changed, and a Cookie header written by hand stays as it is. The cookie policy is
    the session's.
    """
    carrying = request.copy()
    jar = carrying._cookies if carrying._cookies is not None else RequestsCookieJar()  # noqa: SLF001 - as Session
    written = carrying.headers.pop("Cookie", None)
    if written != get_cookie_header(jar, carrying):
        return request
    if session_jar is not None:
        jar.set_policy(session_jar._policy)  # type: ignore[attr-defined]  # noqa: SLF001 - as its own copy() does
    extract_cookies_to_jar(jar, request, response.raw)
    carrying.prepare_cookies(jar)
    return carrying


def keep(session_jar: CookieJar, request: PreparedRequest, response: Response) -> None:
    """Put the cookies of a failed attempt into the session, as `Session` does with those of the last response."""
    extract_cookies_to_jar(session_jar, request, response.raw)


def set_by(response: Response) -> tuple[str, ...]:
    """Return the Set-Cookie headers of a response."""
    headers: Any = getattr(response.raw, "headers", None)
    return tuple(headers.getlist("Set-Cookie")) if hasattr(headers, "getlist") and "set-cookie" in headers else ()


def hand_over(cookies: tuple[str, ...], response: Response) -> None:
    """Let the session find the cookies of earlier attempts in the last response.

    `Session` reads cookies only from the message that http.client parsed. If a cookie was set more than once, the
    last header counts, even if it deletes the cookie; the headers that users see are not touched.
    """
    original: Any = getattr(response.raw, "_original_response", None)
    message: Any = getattr(original, "msg", None)
    if not hasattr(message, "get_all"):
        return
    folder = urlsplit(str(getattr(response.request, "url", ""))).path.rpartition("/")[0] or "/"
    latest: dict[tuple[str, str, str], str] = {}
    for cookie in [*cookies, *(message.get_all("Set-Cookie") or [])]:
        identity = _identity(cookie, folder)
        latest.pop(identity, None)
        latest[identity] = cookie
    original.msg = HTTPMessage()
    for name, value in message.items():
        if name.lower() != "set-cookie":
            original.msg.set_raw(name, value)
    for cookie in latest.values():
        original.msg.set_raw("Set-Cookie", cookie)


def _identity(cookie: str, folder: str) -> tuple[str, str, str]:
    """Return what identifies a cookie: name, domain and path (RFC 6265 §5.3), by default its request's folder."""
    pair, *attributes = cookie.split(";")
    named = {name.strip().lower(): value.strip() for name, _, value in (one.partition("=") for one in attributes)}
    return pair.partition("=")[0].strip(), named.get("domain", "").lstrip(".").lower(), named.get("path") or folder
