"""Everything that the documentation shows is run here, page by page, in the order of reading.

A page is one program: its ```python blocks share a namespace. A ```text block right after one is what that block
prints, where "..." stands for anything. A ```pytest block (shown as Python) is a test file of its own. A ```console
block runs its command lines. What a reader need not see stands in a comment that is not shown:

    <!-- hidden
    server = serve(Reply(503), Reply(200, "hello"))
    -->

Every page finds there what `Page.namespace` gives it. Waits take no time: all sessions are on a virtual clock.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import logging
import re
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

import pytest

from resilient_session.testing import FaultServer, Reply, fast_retries, refused_url

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page for page in (ROOT / "docs").rglob("*.md") if "_" not in page.relative_to(ROOT / "docs").parts[0]
)
HOST = "http://localhost:8000"
"""What ```console blocks show in place of the fault server's address."""

PLUGIN = "pytest_resilient_session"
SHOWN = ("python", "pytest", "console")

_FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=fence)`*[ ]*$|^<!-- hidden\n(?P<hidden>.*?)^-->$",
    re.DOTALL | re.MULTILINE,
)
_CODE = re.compile(r"(?:\{code-block\} *)?(?P<language>python|pytest|text|console)$")


class Block(NamedTuple):
    """A piece of a page: its kind, its text, the line on which the text begins, and what it is to print."""

    kind: str
    text: str
    line: int
    printed: str | None = None


def pages():
    """List the pages that show something that is run."""
    docs = ROOT / "docs"
    found = [ROOT / "README.md", *sorted(docs.glob("[!_]*.md")), *sorted(docs.glob("[!_]*/*.md"))]
    return [page for page in found if any(block.kind in SHOWN for block in blocks_of(page.read_text("utf-8")))]


def blocks_of(source):
    """List the blocks of a page that are run, each ```text with the block that prints it."""
    blocks, end = [], 0
    for match in _FENCE.finditer(source):
        adjacent, end = not source[end : match.start()].strip(), match.end()
        kind = _kind(match)
        group = "text" if match["hidden"] is None else "hidden"
        block = Block(kind, match[group], source.count("\n", 0, match.start(group)))
        if kind == "text" and adjacent and blocks and blocks[-1].kind == "python":
            blocks[-1] = blocks[-1]._replace(printed=block.text)
        elif kind in {*SHOWN, "hidden"}:
            blocks.append(block)
        else:
            end = 0  # what comes next is not this block's output
    return blocks


def _kind(match):
    if match["hidden"] is not None:
        return "hidden"
    shown = re.search(r"^:class: (\w+)$", match["text"], re.MULTILINE)
    code = _CODE.match(match["info"].strip())
    return shown[1] if shown else code["language"] if code else "other"


class Page:
    """One page, being run."""

    def __init__(self, path, monkeypatch, tmp_path):
        self.path = path
        self.tmp_path = tmp_path
        self.stack = contextlib.ExitStack()
        self.out = io.StringIO()
        self.namespace = {
            "__name__": "__main__",
            "FaultServer": FaultServer,
            "Reply": Reply,
            "clock": self.stack.enter_context(fast_retries()),
            "monkeypatch": monkeypatch,
            "pytest": pytest,
            "refused": lambda: self.stack.enter_context(refused_url()),
            "serve": self.serve,
            "tmp_path": tmp_path,
        }
        monkeypatch.chdir(tmp_path)

    def serve(self, *script, **options):
        """Start a fault server that ends with the page; ```console blocks talk to the latest one."""
        self.server = self.stack.enter_context(FaultServer(*script, **options))
        return self.server

    def run(self, block):
        getattr(self, f"run_{'python' if block.kind == 'hidden' else block.kind}")(block)

    def run_python(self, block):
        start = self.out.tell()
        code = compile("\n" * block.line + block.text, str(self.path), "exec", dont_inherit=True)
        exec(code, self.namespace)  # noqa: S102 - that is the job
        if block.printed is not None:
            self.compare(block.printed, self.out.getvalue()[start:], block)

    def run_pytest(self, block):
        text = re.sub(r"^:class: .*\n+", "", block.text)
        (self.tmp_path / "test_example.py").write_text(text)
        installed = any(entry.value == PLUGIN for entry in entry_points(group="pytest11"))
        plugin = [] if installed else ["-p", PLUGIN]
        self.call([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, "."], statuses={0})

    def run_console(self, block):
        for shown in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            line, _, printed = shown.partition("\n")
            if line.startswith("python -m resilient_session "):
                origin = self.server.origin if HOST in line else HOST
                words = shlex.split(line.replace(HOST, origin))
                self.compare(printed, self.call([sys.executable, *words[1:]]).replace(origin, HOST), block)

    def call(self, words, statuses=range(256)):
        done = subprocess.run(  # noqa: S603 - the words are those of our own pages
            words, cwd=self.tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        assert done.returncode in statuses, done.stdout
        return done.stdout

    def compare(self, printed, got, block):
        """Compare what is printed with what the page says; "..." stands for anything."""
        checker = doctest.OutputChecker()
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.REPORT_NDIFF
        if not checker.check_output(printed, got, flags):
            example = doctest.Example(block.text, printed)
            pytest.fail(f"{self.path}:{block.line + 1}\n{checker.output_difference(example, got, flags)}")


@contextlib.contextmanager
def as_in_a_script(out):
    """Let output be caught, and logging be as it is before anybody configured it."""
    loggers = [logging.getLogger(), logging.getLogger("resilient_session")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    logging.getLogger().handlers[:] = []
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            yield
    finally:
        for logger, handlers, level in before:
            logger.handlers[:] = handlers
            logger.setLevel(level)


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_of_a_page_do_what_it_says(path, monkeypatch, tmp_path):
    page = Page(path, monkeypatch, tmp_path)
    with page.stack, as_in_a_script(page.out):
        for block in blocks_of(path.read_text("utf-8")):
            page.run(block)


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_example_checks_only_an_exception_that_may_never_come(path):
    trees = [ast.parse(block.text) for block in blocks_of(path.read_text("utf-8")) if block.kind == "python"]
    tries = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Try) and not node.orelse]
    handlers = [handler for node in tries for handler in node.handlers]
    assert not [node for handler in handlers for node in ast.walk(handler) if isinstance(node, ast.Assert)]
