"""A call as an adapter begins it, without an adapter."""

from requests import Request
from urllib3 import Retry

from resilient_session._call._call import Call
from resilient_session._config._settings import Settings
from resilient_session._limits._limits import Limits
from resilient_session._listeners import Listeners
from resilient_session._policy._decision import Rules


def a_call(**options):
    """Begin a call under some options."""
    values = Settings.of(options, {}).values
    request = Request("GET", "https://example.com/").prepare()
    return Call(values, Retry(3), Rules(frozenset(), 0), Limits(), Listeners(values, None, request))
