"""What becomes of a question: emergency care, a refusal, an answer with its source, or none. In this order."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from tuneloop.knowledge import Case, Index, Rule, ask, read_rules

HERE = Path(__file__).parent
SUSPECTED = 0.4
"""Probability of an emergency from which the model alone sends to care: one too many rather than one too few."""

FILE = HERE / "triage.yaml"
RULES = read_rules(FILE)
KEYWORDS = sorted(set(re.findall(r"\b[a-z]{4,}\b", FILE.read_text(encoding="utf-8").replace("\\b", " "))))
"""Words of the rules, towards which misspellings are mended."""

SAID = yaml.safe_load((HERE / "replies.yaml").read_text(encoding="utf-8"))


class Reply(BaseModel):
    """One of four kinds: emergency, refused, answer (with its sources), no_source. Each carries the disclaimer."""

    kind: str
    text: str
    citations: list[dict[str, Any]] = []
    disclaimer: str
    rule: str = ""


def plain(text: str) -> str:
    """A question without what only looks different: full-width letters, invisible characters, curled apostrophes."""
    text = unicodedata.normalize("NFKC", text).replace("’", "'")
    return " ".join("".join(sign for sign in text if unicodedata.category(sign) != "Cf").split())


def mended(text: str) -> str:
    """A question with words that nearly are words of the rules replaced by those."""

    def mend(found: re.Match[str]) -> str:
        word = found[0].lower()
        if word in KEYWORDS:
            return word
        swapped = [key for key in KEYWORDS if key[0] == word[0] and sorted(key) == sorted(word)]
        return next(iter(swapped or get_close_matches(word, KEYWORDS, 1, cutoff=0.8)), word)

    return re.sub(r"[A-Za-z]{4,}", mend, text)


def readings(question: str) -> list[str]:
    """What the triage judges: the question as it is, and mended where that is something else."""
    given = plain(question)
    return list(dict.fromkeys((given, mended(given))))


def held(question: str) -> list[Rule]:
    """The rules that hold of a question; where there are any, no model is asked, so that none can be in their way."""
    return [rule for reading in readings(question) for rule in RULES.held(Case(reading))]


def decide(question: str, probabilities: Sequence[Mapping[str, float]], index: Index) -> Reply:
    """The reply. Rules come first, emergencies before all; documents are asked only where nothing speaks against it.

    Args:
        probabilities: that the model gives to each of `readings(question)`; not needed where a rule holds.
        index: the documents.
    """
    language = "zh" if re.search(r"[\u3400-\u9fff]", question) else "en"
    rules = held(question)
    emergency, refused = any(rule.hard for rule in rules), bool(rules)
    if language == "en" and not rules:  # the model reads no Chinese: there the rules decide alone
        emergency = any(each["emergency"] >= SUSPECTED for each in probabilities)
        refused = any(max(each, key=each.__getitem__) == "unsafe" for each in probabilities)
    said = {"disclaimer": SAID["disclaimer"][language], "rule": ", ".join(dict.fromkeys(rule.name for rule in rules))}
    kind = "emergency" if emergency else "refused" if refused else "no_source"
    if kind == "no_source":
        found = ask(plain(question), index)
        if not found.abstained:
            return Reply(kind="answer", text=found.text, citations=[each._asdict() for each in found.citations], **said)
    return Reply(kind=kind, text=SAID[kind][language], **said)
