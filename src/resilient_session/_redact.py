"""Redaction: remove userinfo, query values and header values from URLs and error messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from requests import PreparedRequest

HIDDEN = "***"

_USERINFO_OF_URL = r"(?<=//)[^/?]*@"
_USERINFO = r"(?<=//)[^\s/?#]*@"
_QUERY = r"(?<=\?)[^\s'\"<>()]+"
_SHORTEST_SECRET = 8
"""Shorter header values ("*/*", "close") are not redacted: they would match harmless text."""


def redact_url(url: str) -> str:
    """Return a URL without its userinfo, query values and fragment.

    Args:
        url: the URL; may be malformed.

    Returns:
        The URL with ``***`` in place of the userinfo and of each query value; parameter names stay.
    """
    if "?" not in url and "@" not in url and "#" not in url:  # without these it contains no secret
        return url
    without_userinfo = re.sub(_USERINFO_OF_URL, f"{HIDDEN}@", url, count=1) if "@" in url else url
    head, mark, query = without_userinfo.partition("#")[0].partition("?")
    return head + mark + _redact_query(query)


def redact_error(error: BaseException, request: PreparedRequest, proxies: Mapping[str, str] | None = None) -> None:
    """Remove the secrets of a request from the messages of an error and its causes, in place.

    Args:
        error: the exception that a call is about to raise.
        request: the request that failed; its URL and header values are the secrets.
        proxies: the proxies of the request; their credentials are secrets too.
    """
    links = chain(error)
    texts: list[str] = []

    def noted(text: str) -> str:
        texts.append(text)
        return text

    for link in links:
        _rewrite(link, noted)
    told = "\n".join(texts)
    replacements = {secret: harmless for secret, harmless in _secrets(request, proxies or {}) if secret in told}
    if replacements or "@" in told or "?" in told:
        for link in links:
            _rewrite(link, lambda text: _redact_text(text, replacements))


def _rewrite(link: BaseException, rewritten: Callable[[str], str]) -> None:
    """Replace each text of an exception by what a function returns for it."""
    if any(isinstance(arg, str) for arg in link.args):
        link.args = tuple(rewritten(arg) if isinstance(arg, str) else arg for arg in link.args)
    # an exception that was pickled or copied builds its text anew from attributes, such as urllib3's `url`
    for name, value in [*getattr(link, "__dict__", {}).items()]:
        if isinstance(value, str):
            setattr(link, name, rewritten(value))
    # str() of an OSError with an errno shows its strerror, not its args
    if isinstance(link, OSError) and isinstance(link.strerror, str):
        link.strerror = rewritten(link.strerror)
    if isinstance(link, UnicodeEncodeError):
        link.object = rewritten(link.object)


def chain(error: BaseException) -> Collection[BaseException]:
    """List an error and every exception it refers to: cause, context, arguments, urllib3's ``reason``."""
    seen: dict[int, BaseException] = {}
    queue = [error]
    while queue:
        link = queue.pop()
        if id(link) not in seen:
            seen[id(link)] = link
            for one in (link.__cause__, link.__context__, getattr(link, "reason", None), *link.args):
                if one is not None and isinstance(one, BaseException):
                    queue.append(one)  # noqa: PERF401 - a comprehension takes twice as long
    return seen.values()


def _redact_query(query: str) -> str:
    pairs = (pair.partition("=") for pair in query.split("&"))
    return "&".join(f"{name}={HIDDEN}" if equals else name and HIDDEN for name, equals, _ in pairs)


def _redact_text(text: str, replacements: Mapping[str, str]) -> str:
    for secret, harmless in replacements.items():
        text = text.replace(secret, harmless)
    text = re.sub(_USERINFO, f"{HIDDEN}@", text)
    return re.sub(_QUERY, lambda match: _redact_query(match[0]), text)


def _secrets(request: PreparedRequest, proxies: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what must not be shown, the longest form first, each with what is shown in its place."""
    for proxy in proxies.values():
        if "@" in str(proxy):
            yield from _secrets_of_proxy(str(proxy))
    if request.url:
        text = str(request.url)
        yield text, redact_url(text)
        query = text.partition("#")[0].partition("?")[2]
        if query:
            yield f"?{query}", f"?{_redact_query(query)}"
    for name, value in (request.headers or {}).items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if len(text) >= _SHORTEST_SECRET and str(name).lower() != "host":
            for form in _forms(text):
                yield form, HIDDEN


def _secrets_of_proxy(proxy: str) -> Iterator[tuple[str, str]]:
    """Yield the secrets of a proxy's URL, which has no path: all before the last "@" may be of the password.

    A password with an unescaped "/", "?" or "#" makes the URL invalid, and messages show it in parts.
    """
    scheme, mark, rest = proxy.rpartition("://")
    userinfo, _, host = rest.rpartition("@")
    yield proxy, f"{scheme}{mark}{HIDDEN}@{host}"
    yield rest, f"{HIDDEN}@{host}"
    yield userinfo, HIDDEN
    is_malformed = not _SPLITS.isdisjoint(userinfo)
    parts = re.split(r"[/?#:@]", userinfo) if is_malformed else [userinfo.partition(":")[2]]
    yield from ((part, HIDDEN) for part in sorted(parts, key=len, reverse=True) if len(part) >= _SHORTEST_PART)


_SPLITS = frozenset("/?#")
"""Characters at which a parser splits a URL, and so the password in which they stand unescaped."""

_SHORTEST_PART = 3
"""Shorter parts of a user and password are not redacted: they would match harmless text."""


def _forms(text: str) -> Iterator[str]:
    """Yield a header value as messages may show it."""
    yield text
    yield text.strip()
    if text.isascii() and text.isprintable() and "'" not in text and "\\" not in text:  # its repr shows it as it is
        return
    yield repr(text)[1:-1]
    if not text.isascii():
        yield from (repr(text.encode(coding, "replace"))[2:-1] for coding in ("latin-1", "utf-8"))
