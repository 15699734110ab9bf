"""Mounting: which adapter of a session is replaced by which of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from requests.adapters import HTTPAdapter

from resilient_session._adapter import LoggingHTTPAdapter, TimeoutHTTPAdapter
from resilient_session._config._options import REPLACED_BY_RETRY
from resilient_session._config._settings import Settings
from resilient_session._policy._carried import is_stock
from resilient_session._transport._pools import SIZES, is_as_constructed, sizes_of, stock

if TYPE_CHECKING:
    import requests
    from requests.adapters import BaseAdapter

    from resilient_session._config._options import Options


class Mounting:
    """Maps the adapters of one session to resilient ones; none of them is changed, for others may hold it.

    Args:
        session: the session.
        changes: the options that change in adapters of this library.
        settings: the resolved options of adapters that become resilient now.
        keep_pools: whether pool sizes that the caller did not set are taken from the old adapters.
    """

    def __init__(
        self, session: requests.Session, changes: Options, settings: Settings, *, keep_pools: bool
    ) -> None:
        self._session = session
        self._changes = changes
        self._settings = settings
        self._keep_pools = keep_pools
        self._replacements: dict[int, BaseAdapter] = {}

    def resilient(self, adapter: BaseAdapter) -> BaseAdapter:
        """Return the replacement of an adapter; an adapter mounted twice gets one replacement."""
        if id(adapter) not in self._replacements:
            replacement = self._replacement(adapter)
            replacement.bind(self._session)
            self._replacements[id(adapter)] = replacement
        return self._replacements[id(adapter)]

    def _replacement(self, adapter: BaseAdapter) -> TimeoutHTTPAdapter:
        if isinstance(adapter, TimeoutHTTPAdapter):
            return self._reconfigured(adapter)
        settings = self._adopted_settings(adapter)
        if not (isinstance(adapter, HTTPAdapter) and is_as_constructed(adapter)):
            from resilient_session._driven import DrivenHTTPAdapter  # noqa: PLC0415 - few programs need it

            return DrivenHTTPAdapter.around(adapter, settings)
        cls = TimeoutHTTPAdapter if settings.values["logger"] is None else LoggingHTTPAdapter
        return cls.with_settings(settings)

    def _reconfigured(self, adapter: TimeoutHTTPAdapter) -> TimeoutHTTPAdapter:
        if not self._changes:
            return adapter
        logs = type(adapter) is TimeoutHTTPAdapter and self._changes.get("logger") is not None
        return adapter.reconfigured(self._changes, LoggingHTTPAdapter if logs else None)

    def _adopted_settings(self, adapter: BaseAdapter) -> Settings:
        """Resolve the options, with retries and pool sizes of the old adapter unless the caller sets them."""
        retries = getattr(adapter, "max_retries", None)
        given = self._settings.given
        adopted: dict[str, object] = {}
        if (
            retries is not None
            and not is_stock(retries, stock())
            and not given.keys() & {*REPLACED_BY_RETRY, "max_retries"}
        ):
            adopted["max_retries"] = retries
        if self._keep_pools and isinstance(adapter, HTTPAdapter):
            adopted |= zip(SIZES, sizes_of(adapter), strict=True)
            for name in ("pool_connections", "pool_maxsize"):
                adopted[name] = max(1, adopted[name])  # type: ignore[call-overload]  # requests accepts 0 as well
        return Settings.of({**adopted, **given}) if adopted else self._settings


def is_http(prefix: str) -> bool:
    """Return whether an http or https URL can match a mounted prefix; an empty prefix matches every URL."""
    schemes = ("http://", "https://")
    return prefix.lower().startswith(schemes) or any(scheme.startswith(prefix.lower()) for scheme in schemes)
