"""The plots of the report, each drawn from the JSON of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import INK, MUTED, WARN, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHORT = 24
"""Characters of a class or value that fit beside an axis."""


def dots(rows: Sequence[tuple[str, dict[str, Any]]], *, caption: str, axis: str, line: float | None = None) -> Markup:
    """Figures with their intervals, one below the other, and a line to compare them with.

    Args:
        rows: name, and `{"value", "low", "high"}`; without bounds only the point is drawn.
        axis: what is measured.
        line: the figure of the whole, drawn across.
    """

    def draw(axes: Axes) -> None:
        if line is not None:
            axes.axvline(line, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        for place, (_, found) in enumerate(rows):
            if found["low"] is not None and found["high"] is not None:
                axes.plot([found["low"], found["high"]], [place, place], color=INK, linewidth=2.2, alpha=0.5)
            axes.plot([found["value"]], [place], "o", color=INK, markersize=6)
        axes.set_yticks(range(len(rows)), [short(name) for name, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(axis)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=MUTED, alpha=0.2)

    return plot(draw, caption=caption, width=4.6, height=0.9 + 0.28 * len(rows))


def confusion(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> Markup:
    """Counts of each (meant, given) pair; the darker, the larger the share of what was meant."""

    def draw(axes: Axes) -> None:
        for row, counts in enumerate(matrix):
            total = sum(counts) or 1
            for column, count in enumerate(counts):
                share = count / total
                color = INK if row == column else WARN
                axes.add_patch(_cell(row, column, color=color, alpha=0.08 + 0.72 * share))
                axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=9 if len(labels) < 9 else 6)
        names = [short(name) for name in labels]
        slant: dict[str, Any] = {"rotation": 40, "ha": "right"} if len(labels) > 3 else {}
        axes.set_xticks(range(len(labels)), names, **slant)
        axes.set_yticks(range(len(labels)), names)
        axes.set_xlim(-0.5, len(labels) - 0.5)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_xlabel(t("answer of the model"))
        axes.set_ylabel(t("label"))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)

    side = 2.2 + 0.42 * len(labels)
    return plot(draw, caption=t("Confusion matrix: what was meant and what was given."), width=side + 0.8, height=side)


def reliability(bins: Sequence[dict[str, Any]]) -> Markup:
    """Probability that was stated against the share that came true; a larger point stands for more answers."""
    most = max(found["count"] for found in bins)

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        for found in bins:
            x = found["promised"]
            axes.plot([x, x], [found["low"], found["high"]], color=INK, linewidth=1.6, alpha=0.5)
            axes.scatter([x], [found["came_true"]], s=14 + 110 * found["count"] / most, color=INK, zorder=3)
        axes.set_xlim(0, 1.03)
        axes.set_ylim(0, 1.03)
        axes.set_aspect("equal")
        axes.set_xlabel(t("probability that was stated"))
        axes.set_ylabel(t("share that came true"))

    caption = t("Reliability: on the dashed line, probabilities are what they say. Larger points hold more answers.")
    return plot(draw, caption=caption, width=3.9, height=3.7)


def fit(points: dict[str, list[float]]) -> Markup:
    """Numbers that were given against numbers that were meant."""
    ends = [min(points["label"] + points["answer"]), max(points["label"] + points["answer"])]

    def draw(axes: Axes) -> None:
        axes.plot(ends, ends, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.scatter(points["label"], points["answer"], s=12, color=INK, alpha=0.45, linewidths=0)
        axes.set_xlabel(t("label"))
        axes.set_ylabel(t("answer of the model"))

    caption = t("Answers against labels: on the dashed line, an answer is exact.")
    return plot(draw, caption=caption, width=4.4, height=3.8)


def short(name: str) -> str:
    """A name that fits beside an axis."""
    return name if len(name) <= SHORT else name[: SHORT - 1] + "…"


def _cell(row: int, column: int, *, color: str, alpha: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, color=color, alpha=alpha, linewidth=0)
