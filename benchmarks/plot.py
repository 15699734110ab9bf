"""Draw what `costs.py` measured, and write its table into the documentation: ``python benchmarks/plot.py``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
PAGE = DOCS / "what-it-costs.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end -->\n"
LESS, MORE = "#2f7d4f", "#b0532b"


def draw(measures: list[dict[str, Any]]) -> None:
    """Draw a bar for each ratio, on a scale on which half and double are as far from 1."""
    drawn = [measure for measure in measures if measure["ratio"]][::-1]
    mpl.rcParams["svg.hashsalt"] = "costs"  # the same data make the same file
    mpl.rcParams["svg.fonttype"] = "none"
    figure, axes = plt.subplots(figsize=(9, 0.34 * len(drawn) + 1))
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
        error_kw={"elinewidth": 0.8, "ecolor": "#555555"},
    )
    axes.set_xscale("log")
    ticks = [0.06, 0.1, 0.25, 0.5, 1, 2, 4]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("resilient_session() to stock requests: left of 1 is cheaper")
    axes.axvline(1, color="#333333", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(DOCS / "_static" / "costs.svg", bbox_inches="tight", metadata={"Date": None})


def amount(value: float) -> str:
    """Write a number with three digits, or all those before its point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def table(results: dict[str, Any]) -> str:
    """Write the table, and what it was measured with."""
    rows = ["| measure | stock | ours | ratio | middle half of the rounds |", "|---|---|---|---|---|"]
    for measure in results["measures"]:
        figures = [f"{amount(measure[kind])} {measure['unit']}" for kind in ("stock", "ours")]
        ratio = "" if measure["ratio"] is None else f"{measure['ratio']:.2f}"
        spread = "" if measure["ratio"] is None else "{:.2f} to {:.2f}".format(*measure["spread"])
        rows.append(f"| {' | '.join([measure['name'], *figures, ratio, spread])} |")
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return "\n".join([*rows, "", f"Measured with {versions}.", ""])


def main() -> None:
    """Draw the picture and write the table."""
    results = json.loads((HERE / "results.json").read_text("utf-8"))
    draw(results["measures"])
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
