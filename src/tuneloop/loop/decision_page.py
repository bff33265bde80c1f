"""The page of an update: what was decided and why, what was tried, and on which rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import bullets, code_block, page, paragraph, section, table
from tuneloop.evaluation.names import decimals, metric_name
from tuneloop.loop.gate import rows_name, sentences

LOOK = {"promote": "better", "hold": "worse", "ask": "unclear"}


def summary(found: Mapping[str, Any]) -> list[str]:
    """A decision in sentences: the verdict, what follows, then the reasons, in the language in force."""
    verdict, *reasons = sentences(found)
    return [verdict, *_next(found), *reasons]


def _next(found: Mapping[str, Any]) -> Iterator[str]:
    if found["judged_on"] == "dev":
        yield t(
            "No step passed on the dev rows, so no test row was read. What follows is what dev says of the best step."
        )
    if found["release"]:
        yield t("Released as {name}.", name=found["release"])
    else:
        yield t("Nothing was released. To do so all the same: tuneloop release {run}", run=found["candidate"])
    if found["other_candidates_tested"]:
        yield t(
            "The same test rows have judged {count} other candidates before: a promotion by chance is more likely.",
            count=found["other_candidates_tested"],
        )


def tried_rows(found: Mapping[str, Any]) -> list[list[Any]]:
    """Each step that was tried: its name, run, weights that moved, seconds, what dev says."""
    verdicts = {"promote": t("passes"), "hold": t("worse for certain"), "ask": t("cannot be told")}
    rows = []
    for each in found["tried"]:
        if "refused" in each:
            rows.append([each["step"], "", "", "", t("not possible: {why}", why=each["refused"])])
            continue
        cost = each["cost"]
        took = t("made before") if cost["found_again"] else f"{cost['took_s']:.1f}"
        rows.append(
            [each["step"], each["run"], f"{cost['trained_parameters']:,}", took, verdicts[each["dev"]["verdict"]]]
        )
    return rows


def tried_headers() -> list[str]:
    """The headers of `tried_rows`."""
    return [t("step"), t("run"), t("weights moved"), t("seconds"), t("on dev")]


def evidence_rows(reasons: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The paired tests behind a decision, one for each set of rows; audits are sentences, not tests."""
    outcomes = {
        "gained": t("better for certain"), "lost": t("worse for certain"),
        "kept": t("not worse by more than the margin"), "unclear": t("the rows cannot tell"),
    }  # fmt: skip
    return [_evidence_row(each, outcomes) for each in reasons if each["about"] != "audits"]


def _evidence_row(reason: Mapping[str, Any], outcomes: Mapping[str, str]) -> list[str]:
    each = reason["fields"]
    low, high = decimals(each["low"], signed=True), decimals(each["high"], signed=True)
    needed = each.get("rows_needed")
    return [
        rows_name(reason),
        f"{each['rows']:,}",
        metric_name(each["metric"]),
        decimals(each["value_b"]),
        decimals(each["value_a"]),
        f"{decimals(each['difference'], signed=True)} [{low}, {high}]",
        f"{each['p']:.3f}",
        outcomes[reason["outcome"]],
        f"{needed:,}" if needed else "",
    ]


def evidence_headers() -> list[str]:
    """The headers of `evidence_rows`."""
    return [
        t("rows of"), t("rows"), t("metric"), t("before"), t("after"), t("difference, 95 % interval"), "p",
        t("what can be said"), t("rows that would tell"),
    ]  # fmt: skip


def judged_headers() -> list[str]:
    """The headers of `judged_rows`."""
    return [t("rows of"), t("rows"), t("left out, as a model was trained on them"), t("why not")]


def judged_rows(found: Mapping[str, Any]) -> list[list[Any]]:
    """Whose rows judged, how many, and which did not, with the reason."""
    why = {
        "unknown_classes": t("another task, or classes that neither model knows"),
        "trained_on": t("one of the models was trained on all of its rows"),
        "unchanged": t("no perturbation changes a text of it"),
    }
    names = {"new": t("the new rows")}
    rows = [[names.get(name, name), each["rows"], each["left_out"], ""] for name, each in found["judged_rows"].items()]
    return rows + [[names.get(name, name), 0, "", why[reason]] for name, reason in found["sets_left_out"].items()]


def collected(rows: Mapping[str, Any]) -> Iterator[str]:
    """Where the new rows come from, and what feedback was left out."""
    for name, count in rows["files"].items():
        yield t("{name}: {count} rows", name=name, count=count)
    feedback = rows["feedback"]
    if not feedback:
        return
    yield t("feedback: {count} rows", count=feedback["used"])
    reasons = {
        "repeated": t("said more than once"),
        "contradictory": t("contradicting each other"),
        "without_label": t("without the right label"),
        "without_text": t("on events without a text"),
        "unknown_class": t("of a class that is not known"),
        "known": t("on texts that the release was made of"),
    }
    out = [f"{reasons[name]} {feedback[name]}" for name in reasons if feedback[name]]
    if out:
        yield t("feedback left out: {reasons}", reasons=", ".join(out))


def decision_html(found: Mapping[str, Any]) -> str:
    """The page of a decision.json, in the language in force."""
    verdict, *rest = summary(found)
    return page(
        t("Update of {name}", name=found["current"]),
        [
            paragraph(verdict, LOOK[found["verdict"]]),
            bullets(rest),
            section(t("What was tried"), table(tried_headers(), tried_rows(found)), _note()),
            section(t("New rows"), bullets(collected(found["new_rows"])), code_block(found["new_rows"]["path"])),
            section(t("Rows that judged"), table(judged_headers(), judged_rows(found))),
        ],
    )


def _note() -> Markup:
    return paragraph(
        t(
            "The steps are compared on dev rows, from the cheapest on. Only the first that passes there is judged on "
            "test rows, once."
        ),
        "note",
    )
