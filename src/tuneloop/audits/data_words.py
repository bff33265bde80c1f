"""The audit of data in words: its figures, findings and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import paragraph, table

SHOWN = 15
"""Rows of a table on the page; audit.json has more."""

NAMED = 5
"""Rows that a sentence names."""


def figure_title(name: str) -> str:
    """What a figure is called."""
    return {
        "leakage": t("share of rows that another split has too"),
        "leakage.train_test": t("share of test rows that train has too"),
        "leakage.dev_test": t("share of test rows that dev has too"),
        "leakage.train_dev": t("share of dev rows that train has too"),
        "label_errors": t("share of training labels that are probably wrong"),
        "word_flips": t("share of answers that the strongest single word moves"),
        "length_auc": t("how well length alone tells a class (AUC)"),
        "length_followed": t("net share of answers that padding moves to the class of long texts"),
    }[name]


def sentence(kind: str, fields: Mapping[str, Any]) -> str:
    """A finding in words, in the language in force."""
    return {"leakage": _leakage, "label_errors": _label_errors, "length": _length}.get(kind, _word)(kind, fields)


def parts(outcome: Mapping[str, Any]) -> list[Markup]:
    """Tables of shared rows, of suspected labels and of the words that were tried."""
    found: list[Markup] = []
    if "label_errors" in outcome["details"].get("left_out", ()):
        told = t(
            "Wrong labels were not looked for: there are too few rows, or too few classes that only some rows have."
        )
        found.append(paragraph(told, "note"))
    for each in outcome["findings"]:
        if each["kind"] == "leakage":
            found.append(_leaks(each))
        elif each["kind"] == "label_errors":
            found.append(_suspects(each))
    words = outcome["details"].get("words", [])
    left_out = outcome["details"].get("words_left_out", 0)
    if left_out:
        told = t("{count} more words predict a class and were not tried: see the option all_words.", count=left_out)
        found.append(paragraph(told, "note"))
    return [*found, *([_words(words)] if words else [])]


def _leakage(kind: str, fields: Mapping[str, Any]) -> str:
    return t(
        "{count} of {of} rows of {split} stand in {seen_in} too, {exact} of them exactly: {rows}. "
        "Figures on them show memory, not understanding.",
        count=fields["count"],
        of=fields["of"],
        split=fields["split"],
        seen_in=fields["seen_in"],
        exact=fields["exact"],
        rows=_named([f"{row['id']} = {row['partner_id']}" for row in fields["rows"]], fields["count"]),
    )


def _label_errors(kind: str, fields: Mapping[str, Any]) -> str:
    return t(
        "{count} of {of} training labels are probably wrong, first of all: {rows}. Read them.",
        count=fields["count"],
        of=fields["of"],
        rows=_named(
            [f"{row['id']} ({_label(row['label'])} → {_label(row['suggested'])})" for row in fields["rows"]],
            fields["count"],
        ),
    )


def _length(kind: str, fields: Mapping[str, Any]) -> str:
    values = {"label": fields["label"], "auc": fields["auc"], "moved": 100 * fields["moved"]}
    if fields["longer"]:
        return t(
            "Long texts are {label}: length alone tells (AUC {auc:.2f}), and padding that says nothing moves "
            "{moved:.0f} % of the answers on balance.",
            **values,
        )
    return t(
        "Short texts are {label}: length alone tells (AUC {auc:.2f}), and padding that says nothing moves "
        "{moved:.0f} % of the answers on balance to the class of long texts.",
        **values,
    )


def _word(kind: str, fields: Mapping[str, Any]) -> str:
    values = {
        "word": fields["word"],
        "label": fields["label"],
        "rows": fields["rows"],
        "of_label": fields["of_label"],
        "moved": 100 * (fields["moved"] or 0.0),
        "tried": fields["tried"],
        "control": 100 * (fields["control"] or 0.0),
        "lost": 100 * (fields["lost"] or 0.0),
    }
    if kind == "shortcut" and not fields["ordinary"]:
        return t(
            "The word {word!r} alone gives {label} away: {of_label} of its {rows} training rows are {label}, and put "
            "into {tried} texts of other classes it moves {moved:.0f} % of the answers to {label} (other words: "
            "{control:.0f} %); taken out, {lost:.0f} % of its own texts are {label} no more.",
            **values,
        )
    if kind == "shortcut":
        return t(
            "The word {word!r} alone gives {label} away: {of_label} of its {rows} training rows are {label}, and put "
            "into {tried} texts of other classes it moves {moved:.0f} % of the answers to {label} (other words: "
            "{control:.0f} %), more than other predictive words do; taken out, {lost:.0f} % of its own texts are "
            "{label} no more.",
            **values,
        )
    return t(
        "The model goes by {word!r} for {label}: {of_label} of its {rows} training rows are {label}, and put into "
        "{tried} texts of other classes it moves {moved:.0f} % of the answers (other words: {control:.0f} %). "
        "Is it meant to?",
        **values,
    )


def _leaks(finding: Mapping[str, Any]) -> Markup:
    headers = [finding["split"], finding["seen_in"], t("exactly"), t("text")]
    rows = [
        [row["id"], row["partner_id"], t("yes") if row["exact"] else t("nearly"), row["text"]]
        for row in finding["rows"][:SHOWN]
    ]
    return table(headers, rows)


def _suspects(finding: Mapping[str, Any]) -> Markup:
    headers = [t("row"), t("label"), t("a cheap model says"), t("text")]
    rows = [[row["id"], _label(row["label"]), _label(row["suggested"]), row["text"]] for row in finding["rows"][:SHOWN]]
    return table(headers, rows)


def _words(words: list[Mapping[str, Any]]) -> Markup:
    headers = [
        t("word"), t("class"), t("rows"), t("of the class"), t("answers moved"), t("moved by other words"),
        t("answers lost without it"),
    ]  # fmt: skip
    rows = [
        [each["word"], each["label"], each["rows"], _percent(each["of_label"] / each["rows"]), _percent(each["moved"]),
         _percent(each["control"]), _percent(each["lost"])]
        for each in words[:SHOWN]
    ]  # fmt: skip
    note = t(
        "Each word was put into test and dev texts of other classes that the model answers rightly, and taken out of "
        "training texts of its own. A word whose meaning is the class may move answers; one that means nothing must "
        "not."
    )
    return Markup("\n").join([table(headers, rows), paragraph(note, "note")])


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _label(label: Any) -> str:
    return ", ".join(map(str, label)) if isinstance(label, list) else str(label)


def _named(names: list[str], count: int) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if count <= NAMED else t("{names} and more", names=shown)
