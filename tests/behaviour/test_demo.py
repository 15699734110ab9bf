"""The demonstration: what it measures, what it shows, and that it tells when a promise does not hold."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import sys
import time
import types

import pytest
import requests
import urllib3

from resilient_session._cli import _comparison as comparison
from resilient_session._cli import _selfsigned
from resilient_session._cli._main import main
from resilient_session._cli._selfsigned import SelfSigned
from resilient_session.testing import FaultServer, VirtualClock

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate")


@pytest.fixture(scope="module")
def rows():
    return comparison.compare()


@pytest.fixture(scope="module")
def rows_without_tls():
    return comparison.compare(openssl=False)


def facts(one):
    """What is the same in every run: waits of ours are drawn at random."""
    return one.connections, one.requests, one.effects, one.outcome


def test_every_promise_is_kept(rows):
    assert [row.scenario.title for row in rows if not row.kept] == []
    assert len(rows) == 7


def test_every_promise_is_kept_where_there_is_no_openssl(rows_without_tls):
    assert [row.scenario.title for row in rows_without_tls if not row.kept] == []
    assert len(rows_without_tls) == 7
    assert not any(row.scenario.tls for row in rows_without_tls)


def test_cut_body_is_repeated_by_ours_alone(rows):
    assert facts(rows[0].recipe) == (1, 1, 0, "ChunkedEncodingError")
    assert rows[0].ours[1:3] == (2, 0)
    assert rows[0].ours.outcome == "200: the whole content"


def test_generator_is_sent_again_empty_by_the_recipe_alone(rows):
    assert rows[1].recipe[1:3] == (2, 1)
    assert rows[1].recipe.outcome == "200: stored 0 bytes"
    assert facts(rows[1].ours) == (1, 1, 0, "503: try again")


@needs_openssl
def test_post_over_broken_tls_takes_effect_four_times_by_the_recipe_and_once_by_ours(rows):
    assert facts(rows[2].recipe) == (4, 4, 4, "SSLError")
    assert facts(rows[2].ours) == (1, 1, 1, "SSLError")


@needs_openssl
def test_bad_certificate_costs_the_recipe_four_handshakes_and_ours_one(rows):
    assert facts(rows[3].recipe) == (4, 0, 0, "SSLError")
    assert facts(rows[3].ours) == (1, 0, 0, "SSLError")


def test_long_retry_after_is_slept_by_the_recipe_and_handed_over_by_ours(rows):
    assert rows[4].recipe.waited == 3600
    assert rows[4].ours.waited == 0
    assert facts(rows[4].ours) == (1, 1, 0, "503: back in an hour")


def test_last_error_keeps_its_body_in_ours_alone(rows):
    assert rows[5].recipe.outcome == "RetryError, response: None"
    assert rows[5].recipe.status is None
    assert (rows[5].ours.status, rows[5].ours.requests) == (500, 4)
    assert "the disk is full" in rows[5].ours.outcome


def test_download_that_breaks_is_finished_by_ours_alone(rows):
    assert facts(rows[6].recipe) == (1, 1, 0, "ChunkedEncodingError")
    assert facts(rows[6].ours) == (6, 6, 0, "50.0 MB saved, 50.0 MB fetched")


def test_reset_post_takes_effect_once_in_both(rows_without_tls):
    assert facts(rows_without_tls[2].recipe) == facts(rows_without_tls[2].ours) == (1, 1, 1, "ConnectionError")


def test_fraction_of_a_second_as_retry_after_kills_the_recipe_alone(rows_without_tls):
    assert facts(rows_without_tls[3].recipe) == (1, 1, 0, "InvalidHeader")
    assert rows_without_tls[3].ours.requests == 2


def test_table_fits_100_columns_and_shows_every_measure(rows, rows_without_tls):
    text = f"{comparison.render(rows)}\n{comparison.render(rows_without_tls)}"
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 100
    shown = [re.split(" {2,}", line.strip()) for line in text.splitlines()]
    for row in rows:
        assert [row.scenario.title] in shown
        for name, one in (("usual recipe", row.recipe), ("resilient_session", row.ours)):
            counts = [str(count) for count in (one.connections, one.requests, one.effects)]
            assert [name, *counts, f"{one.waited:.1f} s", one.outcome] in shown


def test_closing_line_counts_the_promises_kept(rows):
    assert comparison.render(rows).splitlines()[-1] == "All 7 promises were kept."


def test_promise_that_is_not_kept_is_named(rows):
    other = rows[0]._replace(ours=rows[0].recipe)
    last = comparison.render([other, *rows[1:]]).splitlines()[-1]
    assert last == f"NOT KEPT: {rows[0].scenario.title}: the whole body is returned, after a second request"


@needs_openssl
def test_recipe_would_keep_no_promise(rows):
    assert not any(row._replace(ours=row.recipe).kept for row in rows)


def test_command_shows_the_table(capsys):
    assert main(["demo"]) == 0
    shown = capsys.readouterr()
    assert shown.out.count("usual recipe  ") == shown.out.count("resilient_session  ") == 7
    assert shown.out.endswith("All 7 promises were kept.\n")
    assert shown.err == ""


def test_command_fails_when_a_promise_is_not_kept(rows, capsys, monkeypatch):
    monkeypatch.setattr(comparison, "compare", lambda: (rows[0]._replace(ours=rows[0].recipe),))
    assert main(["demo"]) == 1
    assert "NOT KEPT" in capsys.readouterr().out


def test_command_runs_as_a_module_within_ten_seconds():
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "resilient_session", "demo"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert time.monotonic() - start < 10
    assert (done.returncode, done.stderr) == (0, "")
    assert "All 7 promises were kept." in done.stdout


def test_variables_do_not_change_the_demonstration(monkeypatch):
    monkeypatch.setenv("RESILIENT_SESSION_TOTAL", "0")
    monkeypatch.setenv("RESILIENT_SESSION_RETRY_AFTER_MAX", "7200")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert all(row.kept for row in comparison.compare(openssl=False))


def test_urllib3_has_its_real_clock_back(rows):
    assert urllib3.util.retry.time is time


def test_what_is_no_error_of_requests_is_an_outcome_too():
    def send(session, url):
        raise ZeroDivisionError

    scenario = comparison.Scenario("", (), send, "", bool)
    assert comparison.run(scenario, send, requests.Session(), VirtualClock()).outcome == "ZeroDivisionError"


def test_no_certificate_without_openssl(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert SelfSigned.make(tmp_path) is None


def test_no_certificate_if_openssl_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(_selfsigned, "shutil", types.SimpleNamespace(which=lambda _: sys.executable))
    assert SelfSigned.make(tmp_path) is None


@needs_openssl
def test_certificate_passes_the_strict_checks_of_newer_pythons(tmp_path):
    made = SelfSigned.make(tmp_path)
    context = ssl.create_default_context(cafile=made.certificate)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with FaultServer(tls=made.context()) as server, urllib3.PoolManager(ssl_context=context) as manager:
        assert manager.request("GET", server.url(), retries=False).status == 200
