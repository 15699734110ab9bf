"""What may be shown of a URL, a request or an error: never userinfo, a query value or a header value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from requests import PreparedRequest

HIDDEN = "***"

_USERINFO_OF_URL = r"(?<=//)[^/?]*@"
_USERINFO = r"(?<=//)[^\s/?#]*@"
_QUERY = r"(?<=\?)[^\s'\"<>()]+"
_TELLING = frozenset("@?#")
"""Without one of these a URL holds nothing that is not shown."""

_SHORTEST_SECRET = 8
"""Header values below this length ("*/*", "close") are hidden nowhere: they would blot out innocent text."""


def redact_url(url: str) -> str:
    """Show a URL without its userinfo, query values and fragment.

    Args:
        url: any text that stands for a URL, malformed ones included.

    Returns:
        The URL with ``***`` for the userinfo and for each query value; names of parameters stay.
    """
    if not _TELLING.intersection(url):
        return url
    shown = re.sub(_USERINFO_OF_URL, f"{HIDDEN}@", url, count=1) if "@" in url else url
    head, mark, query = shown.partition("#")[0].partition("?")
    return head + mark + _redact_query(query)


def redact_error(error: BaseException, request: PreparedRequest, proxies: Mapping[str, str] | None = None) -> None:
    """Take the secrets of a request out of the texts of an error and of all that led to it, in place.

    Args:
        error: the exception about to leave a call.
        request: the request it belongs to: its URL and headers are the secrets.
        proxies: the proxies that were used; their credentials are secrets too.
    """
    shown = dict(_secrets(request, proxies or {}))
    for link in chain(error):
        if any(isinstance(arg, str) for arg in link.args):
            link.args = tuple(_redact_text(arg, shown) if isinstance(arg, str) else arg for arg in link.args)
        if isinstance(link, OSError) and isinstance(link.strerror, str):  # what an OSError with a number shows
            link.strerror = _redact_text(link.strerror, shown)


def chain(error: BaseException) -> Collection[BaseException]:
    """List an error and every exception that it names: cause, context, arguments, urllib3's ``reason``."""
    seen: dict[int, BaseException] = {}
    queue = [error]
    while queue:
        link = queue.pop()
        if id(link) not in seen:
            seen[id(link)] = link
            named = (link.__cause__, link.__context__, getattr(link, "reason", None), *link.args)
            queue += [one for one in named if isinstance(one, BaseException)]
    return seen.values()


def _redact_query(query: str) -> str:
    pairs = (pair.partition("=") for pair in query.split("&"))
    return "&".join(f"{name}={HIDDEN}" if equals else name and HIDDEN for name, equals, _ in pairs)


def _redact_text(text: str, shown: Mapping[str, str]) -> str:
    for secret, harmless in shown.items():
        text = text.replace(secret, harmless)
    text = re.sub(_USERINFO, f"{HIDDEN}@", text)
    return re.sub(_QUERY, lambda match: _redact_query(match[0]), text)


def _secrets(request: PreparedRequest, proxies: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for url in (request.url, *proxies.values()):
        if url:
            text = str(url)
            yield text, redact_url(text)
            query = text.partition("#")[0].partition("?")[2]
            if query:
                yield f"?{query}", f"?{_redact_query(query)}"
    for name, value in (request.headers or {}).items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if len(text) >= _SHORTEST_SECRET and str(name).lower() != "host":
            yield from ((form, HIDDEN) for form in (text, text.strip(), repr(text)[1:-1]))
