"""The check as an HTML page with plots, in the language in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import ACCENT, INK, WARN, figures, page, paragraph, plot, section, table
from tuneloop.data.check import CheckReport, personal_name, script_name, summary_rows, suspected
from tuneloop.data.examples import Label
from tuneloop.data.turns import turns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_CLASSES_PLOTTED = 30
MAX_TEXT_CHARS = 300


def check_page(report: CheckReport) -> str:
    """The report as a self-contained HTML document."""
    lead = t("Snapshot {hash}, task {task}.", hash=report.hash[:12], task=report.task)
    parts = [paragraph(lead, "lead"), _problems(report), _overview(report), _plots(report)]
    parts += [*([] if report.answers else [_suspects(report)]), *_duplicates(report), *_personal(report)]
    return page(t("Data check: {name}", name=report.name), parts)


def _problems(report: CheckReport) -> Markup:
    if not report.problems:
        return section(t("Problems"), paragraph(t("None were found.")))
    names = {"error": t("error"), "warning": t("warning"), "note": t("note")}
    rows = [(names[problem.severity], problem.message, problem.hint) for problem in report.problems]
    return section(t("Problems"), table([t("Gravity"), t("What"), t("What to do")], rows))


def _overview(report: CheckReport) -> Markup:
    cleaned = [(_step_name(step), rows) for step, rows in report.snapshot["cleaning"].items() if rows]
    parts = [table([t("What"), t("Finding")], summary_rows(report))]
    if cleaned:
        parts += [paragraph(t("What cleaning changed:")), table([t("Step"), t("Rows")], cleaned)]
    return section(t("Overview"), *parts)


def _plots(report: CheckReport) -> Markup:
    plots = []
    if report.labels:
        plots.append(plot(lambda axes: _draw_labels(axes, report), caption=t("Training rows per label"),
                          height=max(2.0, 0.26 * min(len(report.labels), MAX_CLASSES_PLOTTED) + 0.8)))  # fmt: skip
    measured = report.tokens or report.characters
    unit = t("Tokens per text") if report.tokens else t("Characters per text")
    plots.append(plot(lambda axes: _draw_lengths(axes, measured), caption=unit))
    if report.answers:
        plots.append(plot(lambda axes: _draw_lengths(axes, report.answers), caption=t("Characters per answer")))
    plots.append(plot(lambda axes: _draw_scripts(axes, report), caption=t("Share of texts per script"), height=2.2))
    return section(t("Distributions"), figures(*plots))


def _draw_labels(axes: Axes, report: CheckReport) -> None:
    chosen = list(report.labels.items())[:MAX_CLASSES_PLOTTED][::-1]
    axes.barh(
        [name[:30].replace("$", r"\$") for name, _ in chosen], [counts["train"] for _, counts in chosen], color=INK
    )


def _draw_lengths(axes: Axes, measured: dict[str, Any]) -> None:
    marks = {t("median"): "median", "95 %": "p95", "99 %": "p99"}
    for offset, (split, colour) in enumerate(zip(measured, (INK, ACCENT, WARN), strict=False)):
        values = [getattr(measured[split], key) for key in marks.values()]
        axes.bar([place + 0.27 * offset for place in range(len(marks))], values, width=0.25, color=colour, label=split)
    axes.set_xticks([place + 0.27 for place in range(len(marks))], list(marks))
    axes.legend()


def _draw_scripts(axes: Axes, report: CheckReport) -> None:
    names = [script_name(name) for name in report.scripts][::-1]
    axes.barh(names, list(report.scripts.values())[::-1], color=ACCENT)
    axes.set_xlim(0, 1)


def _suspects(report: CheckReport) -> Markup:
    if not report.suspects:
        of = [paragraph(suspected(report), "note")] if report.examined else []
        return section(t("Suspected label errors"), paragraph(t("None were found.")), *of)
    note = t(
        "{found}; the most suspicious first. A cheap model that has not seen the row finds its label unlikely.",
        found=suspected(report),
    )
    rows = [
        (f"{row.split} {row.id}", row.text[:MAX_TEXT_CHARS], _shown(row.label), _shown(row.suggested), row.score)
        for row in report.suspects
    ]
    headers = [t("Row"), t("Text"), t("Label"), t("Perhaps"), t("Fit")]
    return section(t("Suspected label errors"), paragraph(note, "note"), table(headers, rows))


def _duplicates(report: CheckReport) -> list[Markup]:
    examples = report.snapshot["duplicates"]["examples"]
    if not examples:
        return []
    kinds = {"exact": t("equal"), "near": t("nearly equal"), "conflict": t("contradiction")}
    shown: Callable[[str], str] = turns if report.answers else str
    rows = [
        (kinds[one["kind"]], one["id"], shown(one["text"]), one["partner_id"], shown(one["partner_text"]))
        for one in examples
    ]
    headers = [t("Kind"), t("Removed row"), t("Text"), t("Because of row"), t("Text")]
    return [section(t("Examples of removed rows"), table(headers, rows))]


def _personal(report: CheckReport) -> list[Markup]:
    if not report.personal:
        return []
    rows = [
        (personal_name(hint.kind), hint.rows, ", ".join(f"{row}: {masked}" for row, masked in hint.examples))
        for hint in report.personal
    ]
    return [section(t("Hints of personal data"), table([t("Kind"), t("Rows"), t("Examples (row: masked)")], rows))]


def _shown(label: Label) -> str:
    if isinstance(label, tuple):
        return ", ".join(map(str, label)) or "-"
    return label if isinstance(label, str) else f"{label:.4g}"


def _step_name(step: str) -> str:
    return {
        "surrogates": t("halves of characters replaced"), "encoding": t("broken encoding mended"),
        "control": t("control characters dropped"), "unicode": t("Unicode form changed"),
        "blank": t("blank texts left out"),
    }[step]  # fmt: skip
