"""The origin of a URL: scheme, host and port, without userinfo, and without the port that the scheme implies."""

from __future__ import annotations

import functools
import re

_ORIGIN = r"(\w[\w+.-]*)://(?:[^/?#]*@)?([^/?#]*)"
_IMPLIED = {"http": ":80", "https": ":443"}


def origin_of(url: str) -> str:
    """Return the origin of a URL in lower case, such as ``https://api.example.com``; a malformed one as "other"."""
    end = url.find("/", url.find("://") + len("://"))
    return _origin_of(url if end < 0 else url[:end])


@functools.lru_cache(maxsize=1024)
def _origin_of(url: str) -> str:
    found = re.match(_ORIGIN, url)
    if found is None:
        return "other"
    scheme, place = found[1].lower(), found[2].lower()
    return f"{scheme}://{place.removesuffix(_IMPLIED.get(scheme, ':'))}"
