"""Check that the README of a wheel is readable on the package index: it renders, and each link leads somewhere.

The index shows the text alone, so a relative link is dead there. Links to our documentation and to our repository
are looked up in this checkout; links to other sites are not followed, since checks work without them.
"""

from __future__ import annotations

import email
import email.message
import re
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path

from readme_renderer import markdown

ROOT = Path(__file__).parent.parent.parent
DOCS = "https://resilient-session.readthedocs.io/"
LATEST = f"{DOCS}en/latest/"
REPOSITORY = "https://github.com/resilient-session/resilient-session"
FILES = f"{REPOSITORY}/blob/main/"
CODE = ("pre", "code")


class Rendered(HTMLParser):
    """A rendered page: where its links lead, the anchors that it has, and its text outside of code."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.text = ""
        self._in_code = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_code += tag in CODE
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.links.append(value)
            elif name == "id" and value:
                self.anchors.add(value)

    def handle_endtag(self, tag: str) -> None:
        self._in_code -= tag in CODE

    def handle_data(self, data: str) -> None:
        if not self._in_code:
            self.text += data


def fault_of(link: str, anchors: set[str]) -> str | None:
    """Return what is wrong with a link, or None."""
    if link.startswith("#"):
        return None if link[1:] in anchors else "no such heading"
    if not re.match(r"(https?|mailto):", link):
        return "relative"
    if link.startswith(LATEST):
        return _fault_of_page(link.removeprefix(LATEST))
    if link.startswith(FILES):
        return None if (ROOT / link.removeprefix(FILES)).is_file() else "no such file"
    if link.startswith(DOCS) and link != DOCS:
        return f"not below {LATEST}"
    return None


def _fault_of_page(link: str) -> str | None:
    path, _, anchor = link.partition("#")
    page = ROOT / "docs" / re.sub(r"\.html$", ".md", path or "index.html")
    if page.suffix != ".md" or not page.is_file():
        return "no such page"
    included = re.match(r"```\{include\} (\S+)", page.read_text(encoding="utf-8"))
    source = page.parent / included[1] if included else page
    headings = re.findall(r"^#+ (.+)$", source.read_text(encoding="utf-8"), re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    return "no such heading" if anchor and anchor not in slugs else None


def faults_of(metadata: email.message.Message) -> list[str]:
    """List what is wrong with the README and with the project's links."""
    html = markdown.render(metadata.get_payload())
    if html is None:
        return ["it does not render"]
    rendered = Rendered(html)
    shown = [*rendered.links, *(line.split(", ")[1] for line in metadata.get_all("Project-URL", []))]
    undefined = re.findall(r"\[[^\]]*\]\[[^\]]*\]", rendered.text)
    return [
        *(f"{link}: {fault}" for link in shown if (fault := fault_of(link, rendered.anchors))),
        *(f"{link}: not defined" for link in undefined),
    ]


def main(path: str) -> int:
    with zipfile.ZipFile(path) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        faults = faults_of(email.message_from_string(wheel.read(name).decode("utf-8")))
    sys.stderr.writelines(f"README, {fault}\n" for fault in faults)
    return len(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
