"""Redaction: remove userinfo, query values and header values from URLs and error messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from requests.structures import CaseInsensitiveDict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

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
    redact(chain(error), request, proxies)


def redact(links: Iterable[BaseException], request: PreparedRequest, proxies: Mapping[str, str] | None) -> None:
    """Remove the secrets of a request from the messages of exceptions, in place; see `redact_error`."""
    secrets = [*_secrets(request, proxies or {})]

    def harmless(text: str) -> str:
        found = [pair for pair in secrets if pair[0] in text]
        return _redact_text(text, found) if found or "@" in text or "?" in text else text

    for link in links:
        _rewrite(link, harmless)


def _rewrite(link: BaseException, rewritten: Callable[[str], str]) -> None:
    """Replace each text of an exception by what a function returns for it."""
    for arg in link.args:
        if isinstance(arg, str):
            link.args = tuple(rewritten(arg) if isinstance(arg, str) else arg for arg in link.args)
            break
    # an exception that was pickled or copied builds its text anew from attributes, such as urllib3's `url`
    for name, value in [*vars(link).items()]:
        if isinstance(value, str):
            setattr(link, name, rewritten(value))
        elif name == "__notes__" and isinstance(value, list):  # PEP 678
            value[:] = [rewritten(note) if isinstance(note, str) else note for note in value]
    # str() of an OSError with an errno shows its strerror, not its args
    if isinstance(link, OSError) and isinstance(link.strerror, str):
        link.strerror = rewritten(link.strerror)
    if isinstance(link, UnicodeEncodeError):
        link.object = rewritten(link.object)


def chain(error: BaseException) -> Collection[BaseException]:
    """List an error and every exception behind it: cause, context, arguments, urllib3's ``reason``.

    An exception that a caller is handling meanwhile is left out: Python makes it the context of all that is raised.
    """
    seen: dict[int, BaseException] = {}
    queue, contexts = [error], []
    while queue:
        link = queue.pop()
        if id(link) not in seen:
            seen[id(link)] = link
            contexts.append(link.__context__)
            for one in (link.__cause__, getattr(link, "reason", None), *link.args):
                if one is not None and isinstance(one, BaseException):
                    queue.append(one)  # noqa: PERF401 - a comprehension takes twice as long
        while contexts and not queue:
            context = contexts.pop()
            if context is not None and id(context) not in seen and not _is_handled_above(context, seen.values()):
                queue.append(context)
    return seen.values()


def _is_handled_above(context: BaseException, links: Iterable[BaseException]) -> bool:
    """Whether a caller is handling an exception: no traceback of ours goes up to where it was caught."""
    if context.__traceback__ is None:
        return False
    caught_in = context.__traceback__.tb_frame
    for link in links:
        trace = link.__traceback__
        while trace is not None:
            if trace.tb_frame is caught_in:
                return False
            trace = trace.tb_next
    return True


def _redact_query(query: str) -> str:
    pairs = (pair.partition("=") for pair in query.split("&"))
    return "&".join(f"{name}={HIDDEN}" if equals else name and HIDDEN for name, equals, _ in pairs)


def _redact_text(text: str, replacements: Iterable[tuple[str, str]]) -> str:
    for secret, harmless in replacements:
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
    headers: Any = request.headers or {}
    for name, value in headers.lower_items() if isinstance(headers, CaseInsensitiveDict) else headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if len(text.strip()) >= _SHORTEST_SECRET and str(name).lower() != "host":
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
    if text.isascii() and text.isprintable() and "'" not in text and "\\" not in text:  # its repr shows it as it is
        yield text.strip()
        return
    yield text
    yield text.strip()
    yield repr(text)[1:-1]
    if not text.isascii():
        yield from (repr(text.encode(coding, "replace"))[2:-1] for coding in ("latin-1", "utf-8"))
