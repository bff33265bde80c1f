"""What the audit `robustness` found, in words and tables, in the language in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import bullets, code_block, paragraph, table
from tuneloop.data.perturbations import PERTURBATIONS


def kind_title(name: str) -> str:
    """What a perturbation is called; its name, if it is not installed here."""
    return PERTURBATIONS.get(name).title() if name in PERTURBATIONS.names() else name


def figure_title(name: str) -> str:
    """What a figure is called."""
    figure, _, kind = name.partition(".")
    if figure == "failures" and kind == "negation":
        return t("right answers that stay under negation")
    if figure == "failures" and kind:
        return t("right answers that change: {kind}", kind=kind_title(kind))
    if figure == "certified" and kind:
        return t("rows certified right whatever {count} words are changed, by votes", count=kind)
    if kind:
        return _test_title(figure, kind)
    return {
        "failures": t("right answers that change, mean of all perturbations"),
        "accuracy_drop": t("loss of accuracy under perturbation"),
        "robust_accuracy": t("rows that are right and stay so under every perturbation"),
        "attack_success": t("right answers that a search for small changes breaks"),
        "attack_queries": t("questions to the model for one text in that search, median"),
        "voting_accuracy": t("rows right by votes of texts with words deleted"),
        "certified": t("rows certified right by votes"),
        "tests": t("cases of your own tests that fail"),
        "suite": t("cases of tests of sentiment that fail"),
    }[figure]


WORTH_LEARNING = 0.05
"""Share of right answers that a perturbation changes from which the page says how to train on it."""

FGM = 0.3
"""Length of adversarial steps that halved the success of attacks at no cost, see `benchmarks/robustness.py`."""


def sentence(kind: str, fields: Mapping[str, Any]) -> str:
    """A finding in words."""
    if kind in ("test_failed", "suite_failed"):
        return _test_sentence(kind, fields)
    numbers = {"broken": fields["broken"], "n": fields["n"], "share": fields["share"], "limit": fields["limit"]}
    example = fields["examples"][0]
    said = t(
        "For example {before!r} was {answer_before}; {after!r} is {answer_after}.",
        before=example["before"], answer_before=example["answer_before"],
        after=example["after"], answer_after=example["answer_after"],
    )  # fmt: skip
    if kind == "ignores_negation":
        text = t("Negation: {broken} of {n} right answers stay ({share:.0%}, limit {limit:.0%}).", **numbers)
    else:
        text = t(
            "{kind}: {broken} of {n} right answers change ({share:.0%}, limit {limit:.0%}).",
            kind=kind_title(fields["perturbation"]), **numbers,
        )  # fmt: skip
    return f"{text} {said}"


def parts(outcome: Mapping[str, Any]) -> list[Markup]:
    """What the page shows below figures and findings."""
    details = outcome["details"]
    found = [_worst(details["worst"])] if details.get("worst") else []
    found += _attacks(details["attacks"]) if details.get("attacks") else []
    for part in ("tests", "suite"):
        found += _tests(part, details[part]) if details.get(part) else []
    found += _remedy(outcome)
    if details["left_out"]:
        found += [paragraph(t("Left out:")), bullets(_lacking(*each) for each in details["left_out"].items())]
    found.append(paragraph(t("{count} answers were asked for.", count=details["answers"]), "note"))
    return found


def _worst(rows: list[dict[str, Any]]) -> Markup:
    headers = [t("perturbation"), t("before"), t("after"), t("answer before"), t("answer after")]
    keys = ("before", "after", "answer_before", "answer_after")
    return table(headers, [[kind_title(row["perturbation"]), *(str(row[key]) for key in keys)] for row in rows])


def _attacks(rows: list[dict[str, Any]]) -> list[Markup]:
    headers = [t("before"), t("after"), t("answer before"), t("answer after"), t("questions")]
    keys = ("before", "after", "answer_before", "answer_after")
    cells = [[*(str(row[key]) for key in keys), row["queries"]] for row in rows]
    return [paragraph(t("Answers that a search broke, with the fewest changed words:")), table(headers, cells)]


def _test_title(figure: str, name: str) -> str:
    """A test of the user has its own name; ours are told in the language in force."""
    return t("cases that fail: {test}", test=name if figure == "tests" else _suite_title(name))


def _suite_title(name: str) -> str:
    script, _, test = name.partition(".")
    titles = {
        "praise": t("praise"),
        "blame": t("blame"),
        "negated_praise": t("negated praise is not praise"),
        "negated_blame": t("negated blame is not blame"),
        "time": t("what is now counts, not what was"),
        "names": t("another name changes nothing"),
        "numbers": t("another number changes nothing"),
        "added_praise": t("added praise does not make it worse"),
        "added_blame": t("added blame does not make it better"),
    }
    return f"{titles[test]} ({t('Chinese') if script == 'zh' else t('English')})"


def _test_sentence(kind: str, fields: Mapping[str, Any]) -> str:
    name = fields["test"] if kind == "test_failed" else _suite_title(fields["test"])
    text = t(
        "Test {name}: {broken} of {n} cases fail ({share:.0%}, limit {limit:.0%}).",
        name=name, broken=fields["broken"], n=fields["n"], share=fields["share"], limit=fields["limit"],
    )  # fmt: skip
    example = fields["examples"][0]
    said = t("For example {text!r} is {answer}.", text=example["after"], answer=example["answer_after"])
    return f"{text} {said}"


def _tests(part: str, tests: list[dict[str, Any]]) -> list[Markup]:
    """Each test with its failures and the surest wrong answer."""
    headers = [t("test"), t("type"), t("capability"), t("failed"), t("cases"), t("for example"), t("answer")]
    rows = []
    for each in tests:
        name = each["test"] if part == "tests" else _suite_title(each["test"])
        example = each["examples"][0] if each["examples"] else {"after": "", "answer_after": ""}
        row = [name, each["kind_of_test"], each["capability"] if part == "tests" else "", each["broken"], each["n"]]
        rows.append([*row, example["after"], example["answer_after"]])
    title = t("Your own tests") if part == "tests" else t("Tests of sentiment")
    return [paragraph(title), table(headers, rows)]


def _remedy(outcome: Mapping[str, Any]) -> list[Markup]:
    """What to write into tuneloop.yaml to train on what surely broke more answers than `WORTH_LEARNING`."""
    broken = {name.partition(".")[2]: each for name, each in outcome["figures"].items() if name.startswith("failures.")}
    names = [name for name, each in broken.items() if (each["low"] or 0.0) > WORTH_LEARNING]
    if not names:
        return []
    fgm = f"training: {{fgm: {FGM}}}  # " + t("for methods that train by gradients")
    return [
        paragraph(t("To train on such texts, put into tuneloop.yaml:")),
        code_block(f"data:\n  augment: {{perturbations: [{', '.join(names)}]}}\n{fgm}"),
    ]


def _lacking(name: str, what: str) -> str:
    kind = kind_title(name)
    if what == "poles":
        return t("{kind}: say which labels are its poles, audit.options.robustness.poles.", kind=kind)
    if what == "WordNet":
        return t("{kind}: install the Debian package wordnet-base, or set WNSEARCHDIR.", kind=kind)
    return t('{kind}: {package} is missing; pip install "tuneloop[audit]".', kind=kind, package=what)
