"""The exit statuses of the commands."""

FAILED = 1
HTTP_ERROR = 22
"""The same as of ``curl --fail``."""

INTERRUPTED, PIPE_CLOSED = 130, 141
"""The statuses that a shell reports for a command ended by SIGINT and SIGPIPE."""
