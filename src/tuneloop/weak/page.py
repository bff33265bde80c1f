"""The table of labelling functions, for the command line and as a page."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import bullets, page, paragraph, table


def headers(found: dict[str, Any]) -> list[str]:
    """The heads of the table of functions."""
    plain = [t("function"), t("kind"), t("gives"), t("coverage"), t("overlap"), t("conflict")]
    return [*plain, t("accuracy on dev")] if found["dev"] is not None else plain


def rows(found: dict[str, Any]) -> list[list[str]]:
    """A row for each function."""
    shown = []
    for each in found["functions"]:
        gives = ", ".join(f"{label} {count}" for label, count in each["labels"].items()) or t("nothing")
        shares = [f"{each[name]:.1%}" for name in ("coverage", "overlap", "conflict")]
        row = [each["name"], each["kind"], gives, *shares]
        shown.append([*row, interval(each["accuracy"])] if found["dev"] is not None else row)
    return shown


def interval(figure: dict[str, Any]) -> str:
    """For example: 81.2 % (70.1 to 88.9) of 48."""
    if figure["value"] is None:
        return t("no votes")
    value, low, high = (100 * figure[name] for name in ("value", "low", "high"))
    return t("{value} % ({low} to {high}) of {n}", value=f"{value:.1f}", low=f"{low:.1f}", high=f"{high:.1f}",
             n=figure["n"])  # fmt: skip


def sentences(found: dict[str, Any]) -> list[str]:
    """What the table does not say: near-duplicates, the label model, what it is worth on dev."""
    said = [t("{labelled} of {texts} texts have a vote.", labelled=f"{found['labelled']:,}",
              texts=f"{found['texts']:,}")]  # fmt: skip
    for pair in found["pairs"]:
        values = {"first": pair["first"], "second": pair["second"], "same": f"{100 * pair['same']:.0f}",
                  "contained": f"{100 * pair['contained']:.0f}"}  # fmt: skip
        if pair["kind"] == "near_duplicate":
            said.append(
                t("{first} and {second} are near-duplicates: {same} % of their votes are equal. Drop one, or "
                  "both count as two witnesses.", first=values["first"], second=values["second"], same=values["same"])
            )  # fmt: skip
        else:
            said.append(
                t("{first} adds little: {second} says the same in {contained} % of its votes.",
                  first=values["first"], second=values["second"], contained=values["contained"])
            )  # fmt: skip
    silent = [each["name"] for each in found["functions"] if not each["coverage"]]
    if silent:
        said.append(t("Functions that never speak: {names}.", names=", ".join(silent)))
    never = sorted(set(found["classes"]) - {label for each in found["functions"] for label in each["labels"]})
    if never:
        said.append(t("No function gives {names}: the label model can only guess where these classes are.",
                      names=", ".join(never)))  # fmt: skip
    shares = ", ".join(f"{label} {share:.1%}" for label, share in found["model"]["shares"].items())
    said.append(t("Label model {name}: {shares}.", name=found["model"]["type"], shares=shares))
    return [*said, *_of_dev(found["dev"])]


def _of_dev(dev: dict[str, Any] | None) -> list[str]:
    if dev is None:
        return [t("There are no rows labelled by people, so nothing is known of accuracy. Set data.dev.")]
    said = [t("On dev the label model has macro-F1 {value} over all {rows} rows.", value=f"{dev['macro_f1']:.3f}",
              rows=dev["rows"])]  # fmt: skip
    if dev["voted"]:
        said.append(t("Where functions speak it is right in {figure}.", figure=interval(dev["accuracy_voted"])))
        before = f"{dev['before_calibration']['ece']:.3f}"
        if "after_calibration" in dev:
            after = f"{dev['after_calibration']['ece']:.3f}"
            said.append(t("Calibration error {before} before and {after} after the temperature found on other folds of "
                          "dev.", before=before, after=after))  # fmt: skip
        else:
            said.append(t("Calibration error {before}; dev is too small to mend it.", before=before))
    return said


def report(found: dict[str, Any]) -> str:
    """The page."""
    parts = [
        paragraph(t("Functions: {file}.", file=found["file"]), kind="lead"),
        Markup("").join([table(headers(found), rows(found)), bullets(sentences(found))]),
        paragraph(t("Coverage: share of texts of which the function speaks; overlap: another does too; conflict: "
                    "another says something else. Intervals are Wilson's, 95 %."), kind="note"),
    ]  # fmt: skip
    return page(t("Labelling functions"), parts)
