"""Saves 2 % of a request: a plain header field is checked at once. `python instructions.py --only wrapped`.

Taken: a name of letters, digits, - and _, and one value of printable ASCII, each a str. For these, the checks of
urllib3 and http.client pass. A connection whose class overrides `putheader`, and one that is patched, gets all
fields in the usual way.
"""

from __future__ import annotations

import http.client
from typing import Any

from urllib3.connection import HTTPConnection

_PUT = HTTPConnection.putheader, http.client.HTTPConnection.putheader
_STARTED = "Request-started"


class PlainFields:
    """A mixin for connections."""

    _puts_plainly = False
    """Whether nobody but urllib3 and http.client put the fields of the request that is being sent."""

    def _is_put_plainly(self) -> bool:
        """Return whether no class on the way overrides `putheader`, and nobody patched it."""
        theirs: Any = super()
        put = getattr(theirs.putheader, "__func__", None)
        return put is _PUT[0] and http.client.HTTPConnection.putheader is _PUT[1]

    def putheader(self, header: Any, *values: Any) -> None:
        own: Any = self
        if (
            self._puts_plainly
            and len(values) == 1
            and type(header) is type(values[0]) is str
            and own._HTTPConnection__state == _STARTED  # noqa: SLF001 - http.client refuses a field that comes too late
            and header.replace("-", "_").isidentifier()
            and (field := f"{header}: {values[0]}").isascii()
            and field.isprintable()
            and "@" not in field  # which is in the value that skips a field
        ):
            own._output(field.encode("ascii"))  # noqa: SLF001 - what http.client calls
        else:
            super().putheader(header, *values)  # type: ignore[misc]
