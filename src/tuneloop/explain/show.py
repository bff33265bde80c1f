"""Explanations as people read them: words with colours and numbers, for a terminal and for a page."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import page, paragraph, section, table
from tuneloop.data.clean import CONTROL
from tuneloop.explain import EXPLAINERS
from tuneloop.explain.base import Explanation
from tuneloop.explain.units import Part

if TYPE_CHECKING:
    from rich.text import Text

FOR, AGAINST = (212, 17, 89), (26, 133, 255)
"""Red and blue that colour-blind people tell apart; the sign of the number says the same."""
BAR = 20
"""Characters of the longest bar in a terminal."""
SHOWN = 30
"""Rows of a table of units; the heat-map and the JSON have all."""
PALE = 0.05
"""Share of the greatest weight below which a unit has no colour and no number."""


def summary(name: str) -> str:
    """What an explainer is, in the language in force."""
    return t((inspect.getdoc(EXPLAINERS.get(name)) or "").split("\n")[0])


def sentences(found: Explanation) -> list[str]:
    """What is explained, how sure the values are and what they are not."""
    said = [_answer(found), _error(found)]
    if found.details.get("together"):
        said.append(
            t(
                "{count} neighbours at a time are one unit, so that the answers suffice.",
                count=found.details["together"],
            )
        )
    if not found.explains:
        said.append(t("Do not take this for a reason: {method}.", method=summary(found.method).rstrip(".。")))
    if found.truncated:
        said.append(t("The text is longer than the model reads; words that are not read come in as others go."))
    said.append(
        t("{asked} answers of the model were needed; method: {method}.", asked=found.asked, method=found.method)
    )
    return said


def rows(found: Explanation) -> list[list[Any]]:
    """Every unit with its value, the weightiest first, and its standard error where there is one."""
    order = sorted(range(len(found.units)), key=lambda number: -abs(found.values[number]))
    plain: list[list[Any]] = [[_printable(found.units[number].text), signed(found.values[number])] for number in order]
    if found.errors:
        plain = [[*row, f"± {found.errors[number]:.3f}"] for row, number in zip(plain, order, strict=True)]
    return plain


def headers(found: Explanation) -> list[str]:
    """The names of the columns of `rows`."""
    return [t("part of the text"), scale_name(found), *([t("standard error")] if found.errors else [])]


def interaction_rows(found: Explanation) -> list[list[str]]:
    """Pairs of units with what they do together, the strongest first."""
    names = [_printable(unit.text) for unit in found.units]
    return [
        [names[each["first"]], names[each["second"]], signed(each["value"]), f"± {each['error']:.3f}"]
        for each in found.details.get("interactions", ())
    ]


def interaction_headers() -> list[str]:
    """The names of the columns of `interaction_rows`."""
    return [t("one part"), t("another part"), t("what they add together"), t("standard error")]


def signed(value: float) -> str:
    """A number with its sign."""
    return f"{value:+.3f}"


def scale_name(found: Explanation) -> str:
    """What is explained, in words."""
    if found.scale == "value":
        return t("adds to the number")
    if found.scale == "log_odds":
        return t("adds to the log-odds of {label}", label=found.label)
    return t("adds to the probability of {label}", label=found.label)


def heat_text(found: Explanation) -> Text:
    """The text for a terminal: weighty words are coloured, and each of them has its number behind it."""
    from rich.text import Text

    text = Text()
    for part in parts_of(found):
        if part == "pair":
            text.append("\n\n")
        for gap, number in pieces(found, part):
            text.append(_printable(gap))
            if number is None:
                continue
            share, value = share_of(found, number), found.values[number]
            colour = FOR if value > 0 else AGAINST
            style = f"bold rgb({colour[0]},{colour[1]},{colour[2]})" if share >= PALE else ""
            text.append(_printable(found.units[number].text), style)
            if share >= PALE:
                text.append(f"({value:+.2f})", "dim")
    return text


def bars(found: Explanation) -> list[str]:
    """A bar for each row of `rows`, of + or of -, as long as the value is great."""
    most = max(map(abs, found.values), default=0.0) or 1.0
    order = sorted(found.values, key=lambda value: -abs(value))
    return [("+" if value > 0 else "-") * round(BAR * abs(value) / most) for value in order]


def heat_html(found: Explanation) -> Markup:
    """The text for a page: every word stands as text, coloured by its value, which stands behind it."""
    paragraphs = []
    for part in parts_of(found):
        words = [Markup("{}{}").format(gap, _coloured(found, number)) for gap, number in pieces(found, part)]
        paragraphs.append(
            Markup('<p style="font-size:1.15rem;line-height:2.4;white-space:pre-wrap;overflow-wrap:anywhere">{}</p>')
            .format(Markup("").join(words))
        )  # fmt: skip
    return Markup("\n").join(paragraphs)


def explanation_html(found: Explanation, *, name: str) -> str:
    """A page of its own for one explanation of the model `name`."""
    lead, *others = sentences(found)
    parts = [paragraph(lead, "lead"), heat_html(found), *(paragraph(each, "note") for each in others)]
    parts.append(section(t("Parts of the text"), table(headers(found), rows(found)[:SHOWN])))
    together = interaction_rows(found)
    if together:
        parts.append(section(t("Parts that act together"), table(interaction_headers(), together[:SHOWN])))
    return page(t("Why does {name} answer so?", name=name), parts)


def _answer(found: Explanation) -> str:
    values = {"label": found.label, "output": found.output, "base": found.base}
    if found.scale == "value":
        told = t("The model answers {output:.4g}.", **values)
        return told if found.base is None else told + " " + t("Without any word it would be {base:.4g}.", **values)
    if found.scale == "log_odds":
        told = t("The log-odds of {label} are {output:.3f}.", **values)
    else:
        told = t("The probability of {label} is {output:.3f}.", **values)
    return told if found.base is None else told + " " + t("Without any word it would be {base:.3f}.", **values)


def _error(found: Explanation) -> str:
    return {
        "exact": t("The values are exact."),
        "standard_error": t(
            "The values are estimated; the largest standard error is {error:.4f}.", error=found.error or 0.0
        ),
        "gap": t("The values miss the difference of the answers by {error:.4f}.", error=found.error or 0.0),
        "unknown": t("This method has no error to state."),
    }[found.error_kind]


def parts_of(found: Explanation) -> list[Part]:
    """The texts of which it speaks: the text, and the pair where there is one."""
    return ["text"] if found.pair is None else ["text", "pair"]


def pieces(found: Explanation, part: Part) -> Iterator[tuple[str, int | None]]:
    """What stands before each unit of a part, and the unit's number; at the end what stands behind the last."""
    text, end = (found.text if part == "text" else found.pair) or "", 0
    for number, unit in enumerate(found.units):
        if unit.part == part:
            yield text[end : unit.start], number
            end = unit.end
    yield text[end:], None


def _printable(text: str) -> str:
    """The text without characters that command a terminal."""
    return CONTROL.sub("\ufffd", text)


def share_of(found: Explanation, number: int) -> float:
    """The weight of a unit as a share of the greatest one's, 0 to 1."""
    most = max(map(abs, found.values), default=0.0)
    return abs(found.values[number]) / most if most else 0.0


def _coloured(found: Explanation, number: int | None) -> Markup | str:
    if number is None:
        return ""
    share, value, unit = share_of(found, number), found.values[number], found.units[number]
    if share < PALE:
        return unit.text
    red, green, blue = FOR if value > 0 else AGAINST
    return Markup(
        '<span style="background:rgba({},{},{},{:.2f});border-radius:3px;padding:.1em .15em" title="{}">{}</span>'
        "<small>{:+.2f}</small>"
    ).format(red, green, blue, 0.1 + 0.5 * share, signed(value), unit.text, value)
