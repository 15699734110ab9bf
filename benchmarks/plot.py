"""Draw what was measured, and write its tables into the documentation: ``python benchmarks/plot.py``.

Each file of results has its place in ``docs/what-it-costs.md``, between two comments. One that is not there changes
nothing.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from features import met, table, write_features
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
PAGE = DOCS / "what-it-costs.md"
LESS, MORE = "#2f7d4f", "#b0532b"
OTHER, OURS = "#8a93a0", "#2f5f9d"
INKS = {"light": "#222222", "dark": "#dddddd"}
TICKS = [0.06, 0.1, 0.25, 0.5, 1, 2, 4]


def draw(measures: list[dict[str, Any]], ink: str) -> Any:
    """Draw a bar for each ratio, on a scale on which half and double are as far from 1."""
    drawn = [measure for measure in measures if measure["ratio"]][::-1]
    figure, axes = plt.subplots(figsize=(5.5, 0.34 * len(drawn) + 1))
    ratios = [measure["ratio"] for measure in drawn]
    axes.barh(
        [measure["name"] for measure in drawn],
        [ratio - 1 for ratio in ratios],
        left=1,
        color=[LESS if ratio <= 1 else MORE for ratio in ratios],
        xerr=[
            [measure["ratio"] - measure["spread"][0] for measure in drawn],
            [measure["spread"][1] - measure["ratio"] for measure in drawn],
        ],
        error_kw={"elinewidth": 0.8, "ecolor": ink},
    )
    axes.set_xscale("log")
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.minorticks_off()
    axes.set_xlabel("resilient_session() to stock requests: left of 1 is cheaper")
    axes.axvline(1, color=ink, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_peers(costs: list[dict[str, Any]], ink: str) -> Any:
    """Draw what each peer takes, a panel for each measure."""
    names = list(costs[0]["peers"])[::-1]
    figure, grid = plt.subplots(2, 2, figsize=(8.5, 0.66 * len(names) + 1.5), sharey=True)
    for axes, cost in zip(grid.flat, costs, strict=True):
        for place, name in enumerate(names):
            if name in cost["peers"]:
                low, middle, high = cost["peers"][name]["taken"]
                color = OURS if name == names[0] else OTHER
                axes.barh(place, middle, color=color, xerr=[[middle - low], [high - middle]], ecolor=ink)
            else:
                axes.text(0, place, " does not retry", va="center")
        axes.set_title(textwrap.fill(cost["name"], 34), fontsize=10)
        axes.set_xlabel(cost["unit"])
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_yticks(range(len(names)), names)
    figure.tight_layout()
    return figure


def save(name: str, drawing: Callable[[Any, str], Any], data: Any) -> None:
    """Save a picture for pages in light and in dark colours; the same data make the same files."""
    for scheme, ink in INKS.items():
        inked = dict.fromkeys(
            ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), ink
        )
        with mpl.rc_context({**inked, "svg.hashsalt": name, "svg.fonttype": "none", "font.size": 10}):
            figure = drawing(data, ink)
            path = DOCS / "_static" / f"{name}-{scheme}.svg"
            figure.savefig(path, bbox_inches="tight", transparent=True, metadata={"Date": None})
            plt.close(figure)


def amount(value: float) -> str:
    """Write a number with three digits, or all those before its point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def measured_with(versions: dict[str, str]) -> str:
    """Tell what it was measured with."""
    return "Measured with {}.\n".format(", ".join(f"{name} {version}" for name, version in versions.items()))


def measures(results: dict[str, Any]) -> str:
    """Draw what `costs.py` measured, and write its table."""
    save("costs", draw, results["measures"])
    rows = []
    for measure in results["measures"]:
        figures = [f"{amount(measure[kind])} {measure['unit']}" for kind in ("stock", "ours")]
        ratio = "" if measure["ratio"] is None else f"{measure['ratio']:.2f}"
        spread = "" if measure["ratio"] is None else "{:.2f} to {:.2f}".format(*measure["spread"])
        rows.append([measure["name"], *figures, ratio, spread])
    head = ["measure", "stock", "ours", "ratio", "middle half of the rounds"]
    return table(head, rows) + "\n" + measured_with(results["versions"])


def instructions(results: dict[str, Any]) -> str:
    """Write the table of what `instructions.py` counted."""
    rows = [
        [
            count["name"],
            *(amount(count[kind] / 1e6) for kind in ("stock", "ours")),
            f"{count['ratio']:.3f}",
            ", ".join(f"{ratio:.4f}" for ratio in count["ratios"]),
        ]
        for count in results["counts"]
    ]
    head = ["millions of instructions", "stock", "ours", "ratio", "in each run"]
    return table(head, rows) + "\n" + measured_with(results["versions"])


def other_versions(results: dict[str, dict[str, float]]) -> str:
    """Write the table of what `instructions.py --as` counted."""
    names = list(next(iter(results.values())))
    rows = [[name, *(f"{column[name]:.2f}" for column in results.values())] for name in names]
    return table(["ratio to stock", *results], rows)


def memory(results: dict[str, Any]) -> str:
    """Write the table of what `costs.py --full-memory` measured."""
    rows = [
        [measure["name"], kind, *(f"{half:.0f} KiB" for half in measure["halves"][kind])]
        for measure in results["measures"]
        for kind in ("stock", "ours")
    ]
    head = ["", "", "in the first half", "in the second half"]
    return table(head, rows) + "\n" + measured_with(results["versions"])


def peers(results: dict[str, Any]) -> str:
    """Draw what `peers.py` measured, and write its tables: what is compared, what it does, what it takes."""
    save("peers", draw_peers, results["costs"])
    versions = results["versions"]
    compared = [
        [name, written, ", ".join(f"{one} {version}" for one, version in versions[name].items())]
        for name, written in results["written"].items()
    ]
    missing = [[name, f"could not be installed: {said}", ""] for name, said in results["missing"].items()]
    behaviours = [[name, *map(str, met(found))] for name, found in results["behaviours"].items()]
    taken = [
        [name, *("{1} ({0} to {2})".format(*map(amount, one["taken"])) if one else "" for one in found)]
        for name in results["written"]
        for found in [[cost["peers"].get(name) for cost in results["costs"]]]
    ]
    return "\n".join(
        [
            table(["", "set up as", "versions"], compared + missing),
            table(["", *results["faults"].values()], behaviours),
            table(["ms CPU", *(cost["name"] for cost in results["costs"])], taken),
            f"Medians, with the middle half of the rounds. Measured with python {results['python']}.\n",
        ]
    )


PARTS = {
    "results.json": (measures, "<!-- measured -->\n", "<!-- end -->\n"),
    "peers.json": (peers, "<!-- peers -->\n", "<!-- end peers -->\n"),
    "instructions.json": (instructions, "<!-- instructions -->\n", "<!-- end instructions -->\n"),
    "instructions-on-other-versions.json": (other_versions, "<!-- versions -->\n", "<!-- end versions -->\n"),
    "memory.json": (memory, "<!-- memory -->\n", "<!-- end memory -->\n"),
}


def main() -> None:
    """Draw the pictures and write the tables."""
    write_features()
    page = PAGE.read_text("utf-8")
    for name, (write, begin, end) in PARTS.items():
        if (HERE / name).exists():
            before, _, rest = page.partition(begin)
            after = rest.partition(end)[2]
            page = f"{before}{begin}\n{write(json.loads((HERE / name).read_text('utf-8')))}\n{end}{after}"
    PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
