"""What other libraries do, for the README: `python benchmarks/features.py` writes its table from ``peers.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- features -->\n", "<!-- /features -->"

COMPARED = ("resilient-session", "mounted Retry", "tenacity", "stamina", "httpx-retries", "niquests")
"""Those of the README."""

DOCUMENTED = {
    "deadline for the whole call": ("waits and body too", "no", "between attempts", "between attempts", "no", "no"),
    "retry quota, breaker, rate limit": ("yes", "no", "no", "no", "no", "no"),
    "a broken download goes on": ("yes", "no", "no", "no", "no", "no"),
}  # fmt: skip
"""What their documentation says, in the order of `COMPARED`."""


def features(results: dict[str, Any]) -> str:
    """Write the table of the README: what was measured, and what the documentation of each says."""
    found = [results["behaviours"][name] for name in COMPARED]
    met_by = [[*met(one)] for one in found]
    rows = [
        ["timeout without a setting", *(row[0].partition(",")[0] for row in met_by)],
        ["a body that breaks", *("requested again" if one["cut"]["whole"] else "error" for one in found)],
        ["a POST that may have taken effect", *("sent " + _often(one["lost"]["requests"]) for one in found)],
        ["an untrusted certificate", *(times(one["certificate"]["connections"], "handshake") for one in found)],
        ["`Retry-After: 3600`", *(_hour(one["hour"]) for one in found)],
        ["the response after the last retry", *(_last(one["last"]) for one in found)],
        *([name, *said] for name, said in DOCUMENTED.items()),
    ]
    return table(["", *COMPARED], rows)


def _often(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _hour(found: dict[str, Any]) -> str:
    if not found["slept"]:
        return "returned at once"
    return f"{found['slept']:.0f} s asleep" if found["slept"] >= _OWN_WAIT else "ignored"


_OWN_WAIT = 60
"""Seconds; less is no reaction to the header."""


def _last(found: dict[str, Any]) -> str:
    return found["last"] or "lost"


def met(found: dict[str, dict[str, Any]]) -> Iterable[str]:
    """Tell of each fault what a peer made of it, in the order of `peers.FAULTS`."""
    silence, write = found["timeout"]["timeout"], found["post"]["timeout"]
    yield "none" if silence is None else f"{silence:g} s" + (f", POST {write:g} s" if write != silence else "")
    yield "repeated: all of it" if found["cut"]["whole"] else f"`{found['cut'].get('error', 'half of it')}`"
    for key in ("post", "lost"):
        yield times(found[key]["requests"], "request")
    yield times(found["certificate"]["connections"], "handshake") + slept(found["certificate"])
    hour = found["hour"]
    yield f"{hour.get('status', hour.get('error'))} " + (
        f"after {round(hour['slept'], 1):g} s" if hour["slept"] else "at once"
    )
    last = found["last"]
    told = {"returned": "the 502", None: f"`{last.get('error')}` without it"}
    yield f"{times(last['requests'], 'request')}: " + told.get(
        last["last"], f"`{last.get('error')}`, with it {last['last']}"
    )


def times(count: int, what: str) -> str:
    """Count something."""
    return f"{count} {what}{'s' * (count > 1)}"


def slept(found: dict[str, Any]) -> str:
    """Tell how long it would have slept."""
    return f", {round(found['slept'], 1):g} s asleep" if found["slept"] else ""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Write a table."""
    head = list(head)
    lines = ["|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join([f"| {' | '.join(head)} |", *lines, ""])


def write_features() -> None:
    """Write the table of the README."""
    text = README.read_text("utf-8")
    before, _, after = text.partition(BEGIN)
    README.write_text(before + BEGIN + features(measured()) + END + after.partition(END)[2], "utf-8")


def measured() -> dict[str, Any]:
    """Return what `peers.py` measured."""
    results: dict[str, Any] = json.loads((HERE / "peers.json").read_text("utf-8"))
    return results


if __name__ == "__main__":
    write_features()
