"""The command line: arguments, exit statuses, the timeline, and that nothing secret is in it."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from resilient_session._cli._main import main
from resilient_session._cli._waterfall import waterfall
from resilient_session._events import Attempt
from resilient_session.testing import FaultServer, Reply, VirtualClock, fast_retries, refused_url


@pytest.fixture(autouse=True)
def clock():
    with fast_retries() as clock:
        yield clock


@pytest.fixture
def run(capsysbinary):
    """Run a command and return its exit status, its output and the lines of its errors."""

    def run(*arguments):
        try:
            status = main(arguments)
        except SystemExit as end:
            status = end.code
        shown = capsysbinary.readouterr()
        return status, shown.out, shown.err.decode().splitlines()

    return run


def refusal(run, *arguments):
    """Run a command that is refused, and return the one line that says why."""
    status, out, err = run(*arguments)
    assert (status, out) == (2, b"")
    assert sum("error:" in line for line in err) == 1
    return err[-1]


def test_body_goes_to_stdout_byte_by_byte(run):
    body = bytes(range(256)) + b"\r\nno newline at the end"
    with FaultServer(Reply(200, body)) as server:
        status, out, _ = run("get", server.url())
    assert (status, out) == (0, body)


def test_timeline_of_a_call_that_recovers(run, clock):
    with FaultServer(Reply(503), Reply(200, "content", cut="body"), Reply(200, "content")) as server:
        status, out, err = run("get", server.url("/items"), "--set", "jitter=false")
        assert len(server.requests) == 3
    assert (status, out) == (0, b"content")
    assert err[0] == f"GET {server.url('/items')}"
    assert re.fullmatch(r"  1  at +0.000 s  took +0.000 s  503 +status 503; next in 0.500 s", err[1])
    assert re.fullmatch(
        r"  2  at +0.500 s  took +0.000 s  200, ChunkedEncodingError  ChunkedEncodingError after the request was "
        r"sent; next in 1.000 s",
        err[2],
    )
    assert re.fullmatch(r"  3  at +1.500 s  took +0.000 s  200 +status 200", err[3])
    assert err[4:] == ["200 OK after 3 attempts in 1.500 s"]
    assert clock.sleeps == (0.5, 1.0)


def test_attempt_is_shown_before_the_wait_that_follows_it(capsys):
    def look(seconds):
        seen.append(capsys.readouterr().err)

    seen = []
    with FaultServer(Reply(503)) as server, fast_retries(VirtualClock(on_sleep=look)):
        assert main(["get", server.url()]) == 0
    assert len(seen) == 1
    assert "status 503" in seen[0]


def test_hops_of_a_redirect_are_shown_under_their_urls(run):
    with FaultServer() as server:
        server.route("/old", Reply(503), Reply(302, headers={"Location": "/new?key=secret"}))
        server.route("/new", Reply(502), Reply(200, "here"))
        status, out, err = run("get", server.url("/old"))
    assert (status, out) == (0, b"here")
    assert [line.split()[0] for line in err] == ["GET", "1", "2", "GET", "3", "4", "200"]
    assert err[3] == f"GET {server.url('/new')}?key=***"
    assert "after 4 attempts" in err[-1]


def test_http_error_is_status_22_with_its_body(run):
    with FaultServer(Reply(404, "not here")) as server:
        status, out, err = run("get", server.url())
    assert (status, out) == (22, b"not here")
    assert err[-1].startswith("404 Not Found after 1 attempt in")


def test_status_without_a_name_is_shown_by_its_number(run):
    with FaultServer(Reply(299)) as server:
        status, _, err = run("get", server.url())
    assert status == 0
    assert err[-1].startswith("299 after 1 attempt in")


def test_exception_is_status_1_with_its_class_and_text(run):
    with refused_url("/x?token=topsecret") as url:
        status, out, err = run("get", url, "--set", "total=1")
    assert (status, out) == (1, b"")
    assert [line.split()[0] for line in err] == ["GET", "1", "2", "ConnectionError:"]
    assert "no retries are left" in err[2]
    assert "topsecret" not in "".join(err)


def test_exception_that_stands_for_a_status_is_one(run):
    with FaultServer(default=Reply(500, "no")) as server:
        status, out, err = run("get", server.url(), "--set", "raise_on_status=yes", "--set", "total=0")
    assert (status, out) == (1, b"")
    assert err[-1].startswith("RetryError: ")


def test_too_many_redirects_are_an_exception(run):
    with FaultServer(default=Reply(302, headers={"Location": "/?again=topsecret"})) as server:
        status, _, err = run("get", server.url())
    assert status == 1
    assert err[-1] == "TooManyRedirects: Exceeded 30 redirects."
    assert len([line for line in err if " at " in line]) == 31


def test_secrets_are_shown_nowhere(run):
    with FaultServer(Reply(503), Reply(200)) as server:
        url = server.url("/?token=topsecret#topsecret", userinfo="user:topsecret")
        status, _, err = run("get", url, "-H", "Authorization: Bearer topsecret", "-H", "X-Key: topsecret")
        assert server.requests[0].headers["X-Key"] == "topsecret"
    assert status == 0
    assert "topsecret" not in "".join(err)
    assert err[0] == f"GET http://***@127.0.0.1:{server.port}/?token=***"


@pytest.mark.parametrize(
    "url", ["http://user:topsecret@[bad/?token=topsecret", "http://user:topsecret@host:99999/?token=topsecret"]
)
def test_secrets_of_an_impossible_url_are_shown_nowhere(run, url):
    status, out, err = run("get", url)
    assert (status, out) == (1, b"")
    assert re.match(r"\w+: ", err[-1])
    assert "topsecret" not in "".join(err)


def test_library_logs_nothing_beside_the_timeline(run, caplog):
    with FaultServer(Reply(503), Reply(200)) as server:
        run("get", server.url())
    assert [record for record in caplog.records if record.name == "resilient_session"] == []


def test_text_of_a_server_cannot_steer_the_terminal(run):
    with FaultServer(Reply(raw=b"\x1b[2J nonsense\r\n\r\n", keep_alive=False)) as server:
        status, _, err = run("get", server.url(), "--set", "total=0")
    assert status == 1
    assert all(char.isprintable() for line in err for char in line)


def test_method_header_and_data_are_sent(run):
    with FaultServer() as server:
        run(
            "get", server.url(), "-X", "patch", "-H", "X-A:1", "--header", "x-a:  2 3", "-H", "X-Empty:", "-d", "{}"
        )
    (request,) = server.requests
    assert (request.method, request.body) == ("PATCH", b"{}")
    assert request.headers["X-A"] == "1, 2 3"
    assert request.headers["X-Empty"] == ""


def test_data_is_posted_if_no_method_is_given(run):
    with FaultServer() as server:
        run("get", server.url(), "--data", "grüße")
    assert (server.requests[0].method, server.requests[0].body) == ("POST", "grüße".encode())


def test_data_is_taken_from_a_file(run, tmp_path):
    file = tmp_path / "data"
    file.write_bytes(b"\x00\xff\n")
    with FaultServer() as server:
        run("get", server.url(), "-d", f"@{file}")
    assert server.requests[0].body == b"\x00\xff\n"


def test_file_that_cannot_be_read_is_refused(run, tmp_path):
    said = refusal(run, "get", "http://127.0.0.1/", "-d", f"@{tmp_path}/none")
    assert said.endswith(f"argument -d/--data: {tmp_path}/none: No such file or directory")


def test_options_are_read_as_variables_are(run):
    with FaultServer(Reply(418), default=Reply(404)) as server:
        options = [f"--set={text}" for text in ("status_forcelist=404,418", "Allowed-Methods=any", "timeout=1,2")]
        status, _, err = run("get", server.url(), "-d", "x", *options, "--set", "total=1")
        assert len(server.requests) == 2
    assert status == 22
    assert "status 404; no retries are left" in err[-2]


def test_option_outranks_its_variable_and_an_empty_one_leaves_it(run, monkeypatch):
    monkeypatch.setenv("RESILIENT_SESSION_TOTAL", "2")
    with FaultServer(default=Reply(503)) as server:
        run("get", server.url(), "--set", "total=")
        assert len(server.requests) == 3
        run("get", server.url(), "--set", "total=0")
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("total=abc", "total='abc': must be an integer >= 0"),
        ("total=-1", "total='-1': must be an integer >= 0"),
        ("connect=2.5", "connect='2.5': must be .*; for a time limit, use 'timeout'"),
        ("retries=3", "unknown option 'retries'; use 'total' \\(retries after the first attempt\\)"),
        ("totl=3", "unknown option 'totl'; did you mean 'total'\\?"),
        ("=3", "unknown option ''; valid options: .*"),
        ("clock=x", "'clock' can only be set in code"),
        ("total", "'total': must be NAME=VALUE"),
    ],
)
def test_bad_option_is_one_clear_error(run, option, said):
    line = refusal(run, "get", "http://127.0.0.1/", "--set", option)
    assert re.search(f"argument --set: {said}$", line)


def test_bad_variable_is_one_clear_error(run, monkeypatch):
    monkeypatch.setenv("RESILIENT_SESSION_TOTAL", "many")
    assert "RESILIENT_SESSION_TOTAL='many': must be an integer" in refusal(run, "get", "http://127.0.0.1/")


@pytest.mark.parametrize(
    "header", ["topsecret", ": topsecret", "X: top\nsecret", "X: topsecret€", "X Y: topsecret"]
)
def test_bad_header_is_refused_without_showing_it(run, header):
    assert "secret" not in refusal(run, "get", "http://127.0.0.1/", "-H", header)


@pytest.mark.parametrize("url", ["ftp://user:topsecret@host/", "http:///topsecret", ""])
def test_url_of_another_kind_is_refused_without_showing_it(run, url):
    said = refusal(run, "get", url)
    assert "topsecret" not in said
    assert said.endswith("must begin with http:// or https:// and a host")


def test_explanation_is_shown_and_nothing_is_sent(run):
    with FaultServer() as server:
        url = server.url("/?token=topsecret", userinfo="user:topsecret")
        status, out, err = run("explain", "post", url, "--set", "total=2")
        assert server.connections == 0
    assert (status, err) == (0, [])
    lines = out.decode().splitlines()
    assert lines[0].startswith("Retried up to 2 times, only while the server cannot have acted.")
    assert f"request   POST http://***@127.0.0.1:{server.port}/?token=***" in lines
    assert "topsecret" not in out.decode()
    assert max(map(len, lines)) <= 100


def test_explanation_names_the_variables(run, monkeypatch):
    monkeypatch.setenv("RESILIENT_SESSION_DEADLINE", "20")
    status, out, _ = run("explain", "GET", "https://api.example.com/")
    assert status == 0
    assert b"deadline  20 s (RESILIENT_SESSION_DEADLINE)" in out


def test_explanation_comes_as_json(run):
    status, out, err = run("explain", "GET", "https://api.example.com/", "--json", "--set", "timeout=none")
    assert (status, err) == (0, [])
    explained = json.loads(out)
    assert explained["timeouts"] == {"connect": None, "read": None}
    assert explained["rows"][0]["failure"] == "name does not resolve"


def test_explanation_of_an_impossible_url_is_one_line_without_secrets(run):
    status, out, err = run("explain", "GET", "http://user:topsecret@host:99999/?token=topsecret")
    assert (status, out, len(err)) == (1, b"", 1)
    assert err[0].startswith("InvalidURL: ")
    assert "topsecret" not in err[0]


def test_missing_command_is_a_usage_error(run):
    assert "COMMAND" in refusal(run)


def test_abbreviated_option_is_refused(run):
    assert "--dat" in refusal(run, "get", "http://127.0.0.1/", "--dat", "x")


def test_version_names_what_a_bug_report_needs(run):
    status, out, _ = run("--version")
    assert status == 0
    assert re.fullmatch(r"resilient-session \S+ \(requests \S+, urllib3 \S+, Python \S+\)\n", out.decode())


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"], ["explain", "--help"], ["get", "--help"]])
def test_help_is_there(run, arguments):
    status, out, err = run(*arguments)
    assert (status, err) == (0, [])
    assert out.startswith(b"usage: python -m resilient_session")


def test_help_lists_the_options_and_exit_statuses(run):
    text = " ".join(run("get", "--help")[1].decode().split())
    assert "retry_after_max" in text
    assert "22 for another status" in text


def test_closed_pipe_ends_quietly(monkeypatch, capfd):
    reader, writer = os.pipe()
    os.close(reader)
    with FaultServer(Reply(200, "x" * 100_000)) as server, os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["get", server.url()]) == 141
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_closed_pipe_of_a_process_ends_quietly(argument):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        command = [sys.executable, "-m", "resilient_session", argument]
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        done = subprocess.run(  # noqa: S603 - our own words
            command, check=False, stdout=stdout, stderr=subprocess.PIPE, env=buffered
        )
    assert (done.returncode, done.stderr) == (141, b"")


def test_interrupt_ends_quietly(run):
    def interrupt(seconds):
        raise KeyboardInterrupt

    with FaultServer(Reply(503)) as server, fast_retries(VirtualClock(on_sleep=interrupt)):
        status, out, err = run("get", server.url())
    assert (status, out) == (130, b"")
    assert "Traceback" not in "".join(err)


def test_module_runs_as_a_program():
    program = [sys.executable, "-m", "resilient_session", "--version"]
    ran = subprocess.run(program, capture_output=True, text=True, check=True)  # noqa: S603
    assert ran.stdout.startswith("resilient-session ")


def head(request, name):
    return request.headers.get(name)


def test_data_is_a_form_and_json_is_json_unless_a_header_says_otherwise(run):
    with FaultServer() as server:
        run("get", server.url(), "-d", "a=1")
        run("get", server.url(), "--json", '{"a": 1}')
        run(
            "get",
            server.url(),
            "--json",
            "[]",
            "-H",
            "content-type: application/x-mine",
            "-H",
            "Accept: text/plain",
        )
    form, json_, mine = server.requests
    assert (form.method, head(form, "Content-Type"), form.body) == (
        "POST",
        "application/x-www-form-urlencoded",
        b"a=1",
    )
    assert (json_.method, head(json_, "Content-Type"), head(json_, "Accept")) == (
        "POST", "application/json", "application/json",
    )  # fmt: skip
    assert (head(mine, "Content-Type"), head(mine, "Accept")) == ("application/x-mine", "text/plain")


def test_data_and_json_exclude_each_other(run):
    assert "not allowed with argument" in refusal(run, "get", "http://localhost/", "-d", "a", "--json", "{}")


def test_data_is_taken_from_stdin(run, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"from stdin")))
    with FaultServer() as server:
        run("get", server.url(), "-d", "@-")
    assert server.requests[0].body == b"from stdin"


def test_url_without_a_scheme_is_one_of_http(run):
    with FaultServer(Reply(200, "here")) as server:
        status, out, _ = run("get", f"127.0.0.1:{server.port}/x")
    assert (status, out) == (0, b"here")
    status, out, _ = run("explain", "GET", "localhost/x")
    assert b"http://localhost/x" in out


def test_headers_are_printed_if_they_are_wanted(run):
    with FaultServer(Reply(404, "not here", headers={"X-Reason": "gone"})) as server:
        status, out, _ = run("get", server.url(), "-i")
    top, _, body = out.partition(b"\r\n\r\n")
    assert (status, body) == (22, b"not here")
    assert top.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"X-Reason: gone" in top


def test_body_is_written_to_a_file_as_a_whole(run, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(b"before")
    with FaultServer(Reply(200, bytes(range(256)))) as server:
        status, out, _ = run("get", server.url(), "-o", str(path))
    assert (status, out, path.read_bytes()) == (0, b"", bytes(range(256)))
    assert [each.name for each in tmp_path.iterdir()] == ["body"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_dash_is_standard_output(run):
    with FaultServer(Reply(200, "here")) as server:
        assert run("get", server.url(), "-o", "-")[1] == b"here"


@pytest.mark.parametrize("path", ["no/such/folder/body", "."])
def test_file_that_cannot_be_written_is_status_23(run, tmp_path, path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with FaultServer(Reply(200, "here")) as server:
        status, _, err = run("get", server.url(), "-o", path)
    assert status == 23
    assert err[-1].startswith(f"error: {path}: ")
    assert list(tmp_path.iterdir()) == []


def test_insecure_does_not_verify_and_says_so(run, server_tls):
    with FaultServer(Reply(200, "here"), tls=server_tls) as server:
        assert run("get", server.url())[0] == 1
        status, out, err = run("get", server.url(), "-k")
    assert (status, out) == (0, b"here")
    assert err[0] == "warning: the certificate is not verified"


class Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


def on_a_terminal(*arguments):
    """Run a command on a terminal; return its exit status, and what is seen of its output and of its errors."""
    out, err = (Terminal(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(arguments)
    return status, out.buffer.getvalue().decode(), err.buffer.getvalue().decode()


def test_terminal_gets_no_binary():
    with FaultServer(Reply(200, b"\x00\x01")) as server:
        status, out, err = on_a_terminal("get", server.url())
    assert (status, out) == (23, "")
    assert "the body is binary" in err


def test_terminal_gets_no_escape_sequences():
    with FaultServer(Reply(200, "red: \x1b[31m\nnext", headers={"X-Odd": "\x9b31m"})) as server:
        status, out, _ = on_a_terminal("get", server.url(), "-i")
    assert status == 0
    assert "red: \\x1b[31m\nnext" in out
    assert not {"\x1b", "\x9b"} & set(out)


def test_terminal_gets_a_waterfall_of_the_attempts(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with FaultServer(Reply(503), Reply(200, "here")) as server:
        _, _, err = on_a_terminal("get", server.url(), "--set", "jitter=false")
    lines = err.splitlines()
    (legend,) = [line for line in lines if ". blocked" in line]
    place = lines.index(legend)
    assert lines[place - 2].startswith("  1  ")
    assert lines[place - 1].startswith("  2  ")


def stage_trail(*stages):
    return (
        *itertools.chain.from_iterable((name, float(at)) for at, name in enumerate(stages)),
        "end",
        float(len(stages)),
    )


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_waterfall_has_one_scale(columns):
    trail = stage_trail("blocked", "dns", "connect", "tls", "send", "wait", "receive")
    first = Attempt(1, "GET", "http://x/", 0.0, 7.0, 503, trail=trail)
    second = Attempt(2, "GET", "http://x/", 14.0, 7.0, 200, trail=trail)
    one, two, legend = waterfall([first, second], columns)
    marks = "".join(sorted(set(one[5:]) - set(" 0123456789."), key=one.index))
    assert marks == ("dctswr" if columns > 20 else marks)
    assert len(one) == len(two)
    assert "receive" in legend


def test_call_that_took_no_time_has_no_waterfall():
    assert list(waterfall([Attempt(1, "GET", "http://x/", 0.0, 0.0, 200)], 80)) == []


def test_script_is_installed():
    script = shutil.which("resilient-session", path=os.path.dirname(sys.executable))  # noqa: PTH120
    if script is None:
        pytest.skip("the package is not installed in this environment")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.startswith("resilient-session ")


BIG = bytes(range(256)) * 4000


def cut_once(request):
    """Serve a file with ranges; the first response breaks."""
    asked = request.headers.get("Range")
    start = int(asked[6:-1]) if asked else 0
    ranged = {"Content-Range": f"bytes {start}-{len(BIG) - 1}/{len(BIG)}"} if asked else {}
    cut = {} if asked else {"cut": "body", "after": 600_000}
    return Reply(206 if asked else 200, BIG[start:], headers={"ETag": '"v1"', **ranged}, **cut)


def test_download_goes_on_after_a_break_and_shows_it(run, tmp_path):
    path = tmp_path / "file"
    with FaultServer(default=cut_once) as server:
        status, out, err = run("get", server.url("/x"), "-o", str(path), "--set", "backoff_factor=0")
    assert (status, out, path.read_bytes()) == (0, b"", BIG)
    assert [line.split()[0] for line in err] == ["GET", "1", "1", "2", "206"]
    assert "ChunkedEncodingError after the request was sent; next in 0.000 s" in err[2]


def test_download_goes_on_where_an_earlier_command_ended(run, tmp_path):
    path = tmp_path / "file"
    with FaultServer(default=cut_once) as server:
        status, _, err = run("get", server.url("/x"), "-o", str(path), "--set", "total=0")
        assert status == 1
        assert err[-1].startswith("ChunkedEncodingError: the body broke after 600000 of 1024000 bytes")
        assert not path.exists()
        assert run("get", server.url("/x"), "-o", str(path))[0] == 0
        assert server.requests[-1].headers["Range"] == "bytes=599999-"
    assert path.read_bytes() == BIG


def test_download_of_an_error_writes_nothing(run, tmp_path):
    with FaultServer(Reply(404, "not here")) as server:
        status, _, err = run("get", server.url("/x?key=hidden"), "-o", str(tmp_path / "file"))
    assert status == 22
    assert err[-1] == f"HTTPError: status 404 Not Found, and no file, for {server.url('/x?key=***')}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["-i"], ["-d", "a=b"], ["-X", "POST"], ["-H", "Range: bytes=0-3"]])
def test_what_is_no_download_is_written_as_it_comes(run, tmp_path, arguments):
    with FaultServer(Reply(206 if "-H" in arguments else 200, "here")) as server:
        assert run("get", server.url(), "-o", str(tmp_path / "file"), *arguments)[0] == 0
        assert server.requests[0].headers["Accept-Encoding"] != "identity"
    assert (tmp_path / "file").read_bytes().endswith(b"here")


def test_download_has_the_headers_of_the_user(run, tmp_path):
    with FaultServer(Reply(200, "here")) as server:
        run(
            "get", server.url(), "-o", str(tmp_path / "file"), "-H", "Authorization: x", "-H", "accept-encoding: br"
        )
        headers = server.requests[0].headers
    assert (headers["Authorization"], headers["Accept-Encoding"]) == ("x", "br")


def test_device_is_written_to_and_not_replaced(run, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with FaultServer(Reply(200, "here")) as server:
        assert run("get", server.url(), "-o", str(pipe))[0] == 0
    assert os.read(reader, 100) == b"here"
    os.close(reader)
    assert pipe.is_fifo()


def test_disk_that_is_full_is_status_23(run):
    with FaultServer(Reply(200, "here")) as server:
        status, _, err = run("get", server.url(), "-o", "/dev/full")
    assert (status, err[-1]) == (23, "error: /dev/full: No space left on device")


def test_folder_that_does_not_exist_is_status_23_for_a_post_too(run, tmp_path):
    path = str(tmp_path / "no" / "file")
    with FaultServer(Reply(200, "here")) as server:
        status, _, err = run("get", server.url(), "-o", path, "-d", "x")
    assert (status, err[-1]) == (23, f"error: {path}: No such file or directory")


def test_arguments_of_a_request_that_cannot_be_sent(run, tmp_path):
    status, _, err = run("get", "http://[::1", "-o", str(tmp_path / "file"))
    assert status == 1
    assert "InvalidURL" in err[-1]
