"""`FastSession`: a `requests.Session` that prepares plain requests in short ways, which are loaded when needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from requests import PreparedRequest, Request


class FastSession(requests.Session):
    """A `requests.Session` that does the same in fewer steps where a request is plain."""

    valid_headers: tuple[tuple[str, str | bytes], ...] = ()
    """The headers of this session that were valid when they were last checked."""

    def prepare_request(self, request: Request) -> PreparedRequest:
        """Do what `requests.Session.prepare_request` does."""
        from resilient_session._fast._gate import prepared  # noqa: PLC0415 - not before the first request

        return prepared(self, request) or super().prepare_request(request)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Do what `requests.Session.merge_environment_settings` does."""
        from resilient_session._fast._gate import merged  # noqa: PLC0415 - as above

        settings = merged(self, url, proxies, stream, verify, cert)
        return settings or super().merge_environment_settings(url, proxies, stream, verify, cert)

    def rebuild_proxies(self, prepared_request: PreparedRequest, proxies: Any) -> Any:
        """Do what `requests.Session.rebuild_proxies` does."""
        from resilient_session._fast._gate import rebuilt  # noqa: PLC0415 - as above

        none = rebuilt(self, prepared_request, proxies)
        return super().rebuild_proxies(prepared_request, proxies) if none is None else none
