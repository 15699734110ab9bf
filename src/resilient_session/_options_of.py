"""`options_of()`: the options that rule the requests of a session to a URL, and where each value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resilient_session._configured import ConfiguredHTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests


class OptionValue(NamedTuple):
    """The value of an option, and where it comes from.

    Attributes:
        value: the value that rules.
        origin: "argument", "max_retries", "override", "default", or the name of an environment variable.
    """

    value: object
    origin: str


def options_of(session: requests.Session, url: str) -> Mapping[str, OptionValue]:
    """Return the options that rule a request to a URL at this moment, by name.

    Args:
        session: the session.
        url: the URL, or the beginning of one, such as ``https://``.

    Raises:
        ValueError: the adapter that is mounted for the URL is not one of this library.
        requests.exceptions.InvalidSchema: no adapter is mounted for the URL.
    """
    adapter = session.get_adapter(url)
    if not isinstance(adapter, ConfiguredHTTPAdapter):
        message = f"a {type(adapter).__name__} is mounted for this URL: wrap the session with resilient_session()"
        raise ValueError(message)  # noqa: TRY004 - the type of both arguments is right
    settings, retries = adapter.ruling()
    values: dict[str, object] = {**settings.values}
    for name, origin in settings.origins.items():
        if origin == "max_retries":
            values[name] = getattr(retries, name, values[name])
    return {name: OptionValue(values[name], settings.origins[name]) for name in values}
