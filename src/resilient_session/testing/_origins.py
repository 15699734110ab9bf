"""Storm control remembers for the process; a test begins without memories."""

from __future__ import annotations


def forget_origins() -> None:
    """Forget what storm control knows of every origin: tokens in use, circuits, cool-downs and rate limits.

    It is kept for the process, so that one test's failures could hold back another test's retries. Under pytest the
    plugin of this package calls this before each test. Elsewhere call it in `setUp`, or wherever a test begins. Do
    not call it while requests are under way. What a store keeps for many processes stays.
    """
    from resilient_session._limits._groups import forget  # noqa: PLC0415 - the server works without it

    forget()
