"""The exit statuses of the commands."""

FAILED = 1
HTTP_ERROR = 22
"""The same as of ``curl --fail``."""

NOT_WRITTEN = 23
"""The same as of ``curl``, for a response that cannot be written where it should be."""

INTERRUPTED, PIPE_CLOSED = 130, 141
"""The statuses that a shell reports for a command ended by SIGINT and SIGPIPE."""
