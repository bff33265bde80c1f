"""Hints of personal data in texts: e-mail, telephone, Chinese id card, bank card, IP address.

Numbers with a check digit are checked, so that order numbers are rarely taken for cards. Hints
only: names and addresses are not looked for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tuneloop.data.examples import Examples

MAX_EXAMPLES = 5


@dataclass
class PersonalData:
    """What was found of one kind.

    Args:
        kind: email, phone, id-card, bank-card or ip.
        rows: how many rows hold one.
        examples: (id of the row, masked finding) of the first few.
    """

    kind: str
    rows: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)


def find_personal_data(parts: Sequence[Examples]) -> list[PersonalData]:
    """What is found in the texts and pairs, by kind; kinds that do not occur are left out."""
    found = {kind: PersonalData(kind) for kind in KINDS}
    for examples in parts:
        seconds = examples.pairs or [""] * len(examples)
        for name, text, pair in zip(examples.ids, examples.texts, seconds, strict=True):
            for kind, match in dict(findings(f"{text}\n{pair}" if pair else text)).items():
                found[kind].rows += 1
                if len(found[kind].examples) < MAX_EXAMPLES:
                    found[kind].examples.append((name, mask(match)))
    return [hint for hint in found.values() if hint.rows]


def findings(text: str) -> Iterator[tuple[str, str]]:
    """Every (kind, finding) in a text. A number counts as one kind only."""
    digits = DIGIT.search(text) is not None
    if "@" in text:
        yield from (("email", match) for match in EMAIL.findall(text))
    if not digits:
        return
    for kind, pattern, valid in NUMBERS:
        for match in pattern.findall(text):
            if valid(match):
                yield kind, match
                text = text.replace(match, " ", 1)


def redact(text: str) -> str:
    """The text with `[kind]` in the place of each finding; the same text if there is none.

    Full-width letters and digits are looked through: a text that hides a finding behind them comes back in NFKC.
    """
    if (found := _redacted(text)) != text or text.isascii():
        return found
    plain = unicodedata.normalize("NFKC", text)
    return found if (redacted := _redacted(plain)) == plain else redacted


def _redacted(text: str) -> str:
    while found := sorted(findings(text), key=lambda each: -len(each[1])):
        for kind, match in found:
            text = text.replace(match, f"[{kind}]")
    return text


def mask(finding: str) -> str:
    """A finding that can be recognised but not read: its first two and last two characters."""
    return finding[:2] + "*" * max(len(finding) - 4, 3) + finding[-2:]


def is_id_card(number: str) -> bool:
    """Whether the last character is right (GB 11643-1999, ISO 7064 MOD 11-2) and the month and day exist."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], weights, strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def is_bank_card(number: str) -> bool:
    """Whether the check digit is right (Luhn, ISO/IEC 7812-1)."""
    digits = [int(character) for character in number if character.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_phone(number: str) -> bool:
    """Whether it has as many digits as a telephone number with its prefix."""
    return 9 <= sum(map(str.isdigit, number)) <= 15


def is_ip(address: str) -> bool:
    """Whether it is an IPv4 address that could belong to someone."""
    parts = [int(part) for part in address.split(".")]
    return all(part <= 255 for part in parts) and parts[0] not in (0, 127)


DIGIT = re.compile(r"\d[\d\s.()\-]{5,}\d")
EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,24}\b", re.ASCII)
NUMBERS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    (
        "id-card",
        re.compile(
            r"(?<![0-9])[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[0-9Xx](?![0-9])", re.ASCII
        ),
        is_id_card,
    ),
    ("bank-card", re.compile(r"(?<![0-9.])[2-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,7}(?![0-9])", re.ASCII), is_bank_card),
    ("ip", re.compile(r"(?<![0-9.])(?:\d{1,3}\.){3}\d{1,3}(?![0-9.])", re.ASCII), is_ip),
    ("phone", re.compile(r"(?<![0-9])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![0-9])", re.ASCII), is_phone),
    (
        "phone",
        re.compile(r"(?<![0-9])(?:\+\d{1,3}[ .-]?)(?:\(?\d{1,4}\)?[ .-]?){2,4}\d{2,4}(?![0-9])", re.ASCII),
        is_phone,
    ),
    ("phone", re.compile(r"(?<![0-9-])(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?![0-9-])", re.ASCII), is_phone),
)  # fmt: skip
KINDS = ("email", "phone", "id-card", "bank-card", "ip")
