"""The command `get`: send one request and print its attempts."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from requests import HTTPError, RequestException
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import InsecureRequestWarning

from resilient_session._cli import _exit_status as exit_status
from resilient_session._cli._arguments import OPTION_NAMES, add_command, add_options, add_url, options_of
from resilient_session._cli._output import is_terminal, write
from resilient_session._cli._timeline import RequestArguments, fetch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from requests import Response

    from resilient_session._cli._timeline import Send
    from resilient_session._config._options import Options

_FIRST_ERROR = 400
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_HEADER = re.compile(r"([!-9;-~]+):[\t ]*([\t -~\x80-\xff]*)")


def add_get(commands: Any) -> None:
    """Add the command to a parser."""
    command = add_command(
        commands,
        "get",
        _run,
        help="send one request and print its attempts",
        description="Send one request. Its attempts are printed on standard error as they happen, without secrets; "
        "the response body is written to standard output. With -o, a GET is a download: the bytes are collected "
        "in FILE.part, and the same command goes on where an earlier run ended.",
        epilog="Redirects are followed. Exit status: 0 for a status below 400, 22 for another status, 1 without a "
        f"response, 23 if the response could not be written, 2 for wrong arguments. {OPTION_NAMES}",
    )
    add_url(command)
    command.add_argument("-X", "--request", metavar="METHOD", help="default: GET, or POST if there is data")
    command.add_argument(
        "-H", "--header", type=_header, action="append", default=[], metavar="'NAME: VALUE'", help="repeatable"
    )
    body = command.add_mutually_exclusive_group()
    body.add_argument(
        "-d",
        "--data",
        type=_data,
        metavar="TEXT",
        help="the body, as a form; @FILE reads a file, @- stdin",
    )
    body.add_argument("--json", type=_data, metavar="TEXT", help="the body, as JSON; @FILE and @- as for -d")
    command.add_argument("-i", "--include", action="store_true", help="print the status and the headers as well")
    command.add_argument("-o", "--output", metavar="FILE", help="write the body to a file")
    command.add_argument("-k", "--insecure", action="store_true", help="do not verify certificates")
    add_options(command)


def _run(arguments: argparse.Namespace) -> int:
    options: Options = {"logger": None, **options_of(arguments)}  # the timeline replaces the log
    data = arguments.data if arguments.json is None else arguments.json
    headers = _joined(arguments.header)
    if data is not None:
        headers.setdefault("Content-Type", _FORM if arguments.json is None else _JSON)
    if arguments.json is not None:
        headers.setdefault("Accept", _JSON)
    method = arguments.request or ("GET" if data is None else "POST")
    if arguments.insecure:
        warnings.simplefilter("ignore", InsecureRequestWarning)
        print("warning: the certificate is not verified", file=sys.stderr)
    request = RequestArguments(method, arguments.url, headers, data, verify=not arguments.insecure)
    if request.method == "GET" and _is_download(arguments, request):
        return _download(request, options, arguments.output)
    outcome = fetch(request, options, sys.stderr, lambda send: send())
    if isinstance(outcome, Exception):
        return exit_status.FAILED
    refusal = write(outcome, arguments.output, include=arguments.include)
    if refusal is not None:
        return _not_written(refusal)
    return 0 if outcome.status_code < _FIRST_ERROR else exit_status.HTTP_ERROR


def _is_download(arguments: argparse.Namespace, request: RequestArguments) -> bool:
    """Whether only the whole file of a GET is wanted, and it can be written in parts."""
    path = arguments.output
    if path in {None, "-"} or (Path(path).exists() and not Path(path).is_file()):
        return False
    return not (arguments.include or request.data is not None or "Range" in request.headers)


def _download(request: RequestArguments, options: Options, path: str) -> int:
    """Download a file, and go on with what an earlier run left."""
    from resilient_session._download._download import receive  # noqa: PLC0415 - no other command needs it

    shows_bar = is_terminal(sys.stderr) and importlib.util.find_spec("tqdm") is not None

    def get(send: Send) -> str | None:
        def add(headers: Mapping[str, str]) -> Response:
            return send(headers={**headers, **request.headers}, stream=True)

        try:
            receive(add, request.url, path, progress=shows_bar)
        except RequestException:
            raise
        except OSError as error:
            return f"{path}: {error.strerror}"
        return None

    outcome = fetch(request, options, sys.stderr, get)
    if isinstance(outcome, Exception):
        return exit_status.HTTP_ERROR if isinstance(outcome, HTTPError) else exit_status.FAILED
    return 0 if outcome is None else _not_written(outcome)


def _not_written(refusal: str) -> int:
    print(f"error: {refusal}", file=sys.stderr)
    return exit_status.NOT_WRITTEN


def _joined(headers: Sequence[tuple[str, str]]) -> CaseInsensitiveDict[str]:
    """Join the values of repeated headers with commas (RFC 9110 §5.3)."""
    joined: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _header(text: str) -> tuple[str, str]:
    """Parse a header; its text may be secret and is never shown."""
    match = _HEADER.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError("must be 'Name: value', in Latin-1 and without line breaks")
    return match[1], match[2]


def _data(text: str) -> bytes:
    if not text.startswith("@"):
        return os.fsencode(text)
    if text == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text[1:]}: {error.strerror}") from None
