"""`benchmarks/report.html`: every comparison with its repetitions, medians and spreads; not kept in git."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.docs import bar_of, flat
from benchmarks.registry import BENCHMARKS
from benchmarks.results import HERE, read
from tuneloop.core.fsio import write_text
from tuneloop.core.page import ACCENT, INK, MUTED, WARN, page, paragraph, plot, section, table

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

PAGE = HERE / "report.html"
LEAD = "Both sides take turns on one machine with the same texts; a ratio above 1 is in tuneloop's favour."


def write(path: Path = PAGE) -> Path:
    """Write the page; returns where."""
    write_text(path, html(read()))
    return path


def html(results: list[dict[str, Any]]) -> str:
    """The page."""
    return page("Benchmarks", [paragraph(LEAD, "lead"), _ratios(results), *map(_section, results)])


def _ratios(results: list[dict[str, Any]]) -> Markup:
    """Ratio of every comparison with its lowest and highest repetition, on one axis."""

    def draw(axes: Axes) -> None:
        names = [each["name"] for each in results][::-1]
        for row, each in enumerate(results[::-1]):
            benchmark = BENCHMARKS.get(each["name"])
            met = benchmark is None or benchmark.met(each[benchmark.field])
            axes.plot([each["low"], each["high"]], [row, row], color=MUTED, linewidth=2)
            axes.plot(each["ratio"], row, "o", color=ACCENT if met else WARN)
        axes.axvline(1, color=MUTED, linewidth=0.8)
        axes.set_xscale("log")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("ratio of the medians, lowest and highest of a repetition")

    caption = "Ratios of all comparisons; green where the bar is met."
    return section("All", plot(draw, caption=caption, width=8, height=0.3 * len(results) + 1))


def _section(found: dict[str, Any]) -> Markup:
    sides = [
        ("tuneloop", found["ours"], found["ours_value"], found.get("ours_each") or []),
        (found["peer_version"], found["peer"], found["peer_value"], found.get("peer_each") or []),
    ]
    rows = [(name, what, value, *_spread(each)) for name, what, value, each in sides]
    head = ["side", "what, settings", f"median, {found['unit']}", "lowest", "highest", "spread"]
    bar, met = bar_of(found)
    verdict = f"Ratio {found['ratio']} ({found['low']} to {found['high']}); bar: {bar or 'none'}; met: {met or '-'}."
    parts = [paragraph(verdict, {"yes": "better", "no": "worse"}.get(met, "unclear")), table(head, rows)]
    if all(each for *_, each in sides):
        parts.append(plot(lambda axes: _draw(axes, found), caption=f"Each repetition, {found['unit']}", height=1.8))
    about = f"{flat(found['quality'])} · {flat(found['machine'])} · {found['date']} · {found['command']}"
    return section(found["name"], *parts, paragraph(about, "note"))


def _spread(each: list[float]) -> tuple[Any, ...]:
    """Lowest, highest, and their distance as a share of the median."""
    if not each:
        return "", "", ""
    return min(each), max(each), f"{(max(each) - min(each)) / median(each):.0%}"


def _draw(axes: Axes, found: dict[str, Any]) -> None:
    for row, (key, colour) in enumerate((("peer_each", MUTED), ("ours_each", INK))):
        axes.plot(found[key], [row] * len(found[key]), "o", color=colour, alpha=0.7)
    axes.set_yticks([0, 1], ["peer", "tuneloop"])
    axes.set_ylim(-0.6, 1.6)
    axes.set_xlim(left=0)
