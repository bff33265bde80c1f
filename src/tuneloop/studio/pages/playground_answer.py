"""A prediction, as its task has it: a class with probabilities, stretches of a text, a number, a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.data.examples import Span
from tuneloop.studio.tables import table

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.tasks.base import Prediction, Task

SHOWN = 12
"""Classes, the most probable."""


def show(task: Task, items: Sequence[Input], found: Sequence[Prediction]) -> None:
    """What the model answers."""
    if task.name == "retrieval":
        _ranking(items, found)
        return
    answer = found[0]
    if answer.abstained:
        _abstained(answer)
    if task.spans_in:
        _stretches(task, items[0], answer)
    else:
        ui.label(answer_text(answer.label)).classes("answer").mark("answer")
    _notes(answer)
    if answer.probabilities:
        probabilities(answer.probabilities)


def answer_text(label: Any) -> str:
    """A class, several, a number, or stretches, in words."""
    if isinstance(label, tuple):
        return ", ".join(each.label if isinstance(each, Span) else str(each) for each in label) or t("none")
    return f"{label:.4g}" if isinstance(label, float) else str(label)


def _abstained(answer: Prediction) -> None:
    with ui.element("div").classes("card bad").mark("abstained"):
        ui.label(t("The model abstains: this text is none of its own."))
        if answer.outside is not None:
            share = t("It is more foreign than {share:.1%} of the dev rows.", share=answer.outside)
            ui.label(share + " " + t("What follows is no answer to act on.")).classes("muted")


def _notes(answer: Prediction) -> None:
    if answer.outside is not None and not answer.abstained:
        ui.label(t("It is more foreign than {share:.1%} of the dev rows.", share=answer.outside)).classes("muted")
    if answer.plausible is not None:
        ui.label(t("One of these is right, as often as was promised: {classes}", classes=", ".join(answer.plausible)))
    if answer.truncated:
        ui.label(t("The text is longer than the model reads.")).classes("bad")
    for reason in answer.because:
        words = t("flagged by the rule {rule}", rule=reason.rule) if reason.flag else _changed(reason)
        ui.label(" ".join(filter(None, [words, reason.because]))).classes("card")


def _changed(reason: Any) -> str:
    return t("The rule {rule} made {after} of {before}.", rule=reason.rule, before=answer_text(reason.before),
             after=answer_text(reason.after))  # fmt: skip


def probabilities(found: dict[str, float]) -> None:
    """The most probable classes, with bars."""
    ranked = sorted(found.items(), key=lambda pair: -pair[1])
    with ui.element("div").classes("wide"), ui.element("table").classes("plain bars") as whole:
        whole.props["aria-label"] = t("Probabilities")
        for label, value in ranked[:SHOWN]:
            with ui.element("tr"):
                with ui.element("th").props("scope=row"):
                    ui.label(label)
                with ui.element("td").classes("number"):
                    ui.label(f"{value:.3f}")
                with ui.element("td").props("aria-hidden=true"):
                    ui.element("div").classes("bar").style(f"width:{100 * min(1.0, max(0.0, value)):.1f}%")
    if len(ranked) > SHOWN:
        ui.label(t("and {count} more", count=len(ranked) - SHOWN)).classes("muted")


def _stretches(task: Task, item: Input, answer: Prediction) -> None:
    """The text with what was found in it, and the same as a table."""
    text = item if isinstance(item, str) else item[{"text": 0, "pair": 1}[task.spans_in]]
    spans: Any = answer.label
    if not spans:
        ui.label(t("Nothing was found in the text.")).classes("answer").mark("answer")
        return
    end = 0
    with ui.element("p").classes("heat").mark("answer"):
        for span in spans:
            if span.start < end:  # another reading of the same place: only in the table
                continue
            ui.label(text[end : span.start])
            with ui.element("mark"):
                ui.label(text[span.start : span.end])
            ui.label(span.label if task.name == "tagging" else "").classes("tag")
            end = span.end
        ui.label(text[end:])
    sure: list[float | None] = [*answer.sureness] or [None] * len(spans)
    rows = [
        [text[span.start : span.end], span.label, f"{span.start}–{span.end}", "" if each is None else f"{each:.3f}"]
        for span, each in zip(spans, sure, strict=True)
    ]
    table([t("stretch"), t("label"), t("characters"), t("probability")], rows, name=t("Stretches"))


def _ranking(items: Sequence[Input], found: Sequence[Prediction]) -> None:
    cosine = [float(each.label) for each in found]  # type: ignore[arg-type]
    order = sorted(range(len(items)), key=lambda number: -cosine[number])
    rows = [[str(place), f"{cosine[number]:.3f}", str(items[number][1])] for place, number in enumerate(order, 1)]
    with ui.element("div").mark("answer"):
        table([t("place"), t("cosine"), t("passage")], rows, name=t("Passages, the nearest first"))
