"""For many processes and machines: share cool-downs and rate limits through Redis or Valkey.

It needs the extra `fleet`: ``pip install 'resilient-session[fleet]'``. A URL is enough::

    session = resilient_session(rate_limit="50/second", cool_down=True, store="redis://localhost")

and a `RedisStore` is for what a URL cannot say.
"""

from resilient_session._limits._redis import RedisStore

__all__ = ["RedisStore"]
