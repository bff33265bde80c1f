"""Labelling in the terminal: a text, the keys, one key or one line as the answer."""

from __future__ import annotations

import os
import re
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tuneloop.core.i18n import t
from tuneloop.data.units import units
from tuneloop.labelling.kinds import KEYS, Kind
from tuneloop.labelling.store import Item, LabelStore

UNDO, SKIP, QUIT, NONE = "u", "s", "q", "-"
ENTER = ("\r", "\n", "")
UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters by which a text could move the cursor, change colours or turn the line around."""


@contextmanager
def single_keys() -> Iterator[Callable[[], str]]:
    """A function that waits for one key; what is typed before it is asked for is kept."""
    try:
        import termios
        import tty
    except ImportError:  # Windows, whose console gives single keys by itself
        import click

        yield click.getchar
        return
    screen = sys.stdin.fileno()
    before = termios.tcgetattr(screen)
    tty.setcbreak(screen, termios.TCSADRAIN)
    try:
        yield lambda: _key(screen)
    finally:
        termios.tcsetattr(screen, termios.TCSADRAIN, before)


def _key(screen: int) -> str:
    read = os.read(screen, 1)
    if read == b"\x1b" and select.select([screen], [], [], 0.01)[0]:
        read += os.read(screen, 1)
        while read[1:2] in (b"[", b"O") and (len(read) == 2 or not 0x40 <= read[-1] <= 0x7E):
            read += os.read(screen, 1)  # an arrow or the like is several characters, and no key of ours
    return read.decode("utf-8", "replace") or QUIT


class Wrong(ValueError):
    """What was typed is no answer; it says why."""


def ask(
    store: LabelStore,
    items: Sequence[Item],
    annotator: str,
    kind: Kind,
    *,
    read: Callable[[], str],
    show: Callable[[str], None],
) -> int:
    """Ask for each text until the last one or "q"; how many answers were given, without those undone.

    Every answer is on the disk before the next text is shown.

    Args:
        read: a key for one class, else a line.
        show: prints a line.
    """
    names, left, place, given = store.names, list(items), 0, 0
    show(help_line(kind, names))
    while place < len(left):
        item = left[place]
        show("")
        show(t("{number} of {count}", number=place + 1, count=len(left)) + "  " + describe(item))
        show(text_of(item, kind))
        started = time.monotonic()
        typed = read().strip(" ")
        if typed == QUIT:
            break
        if typed == UNDO:
            undone = store.undo(annotator)
            if undone is None:
                show(t("There is nothing to undo."))
                continue
            given -= 1
            where = next((number for number, each in enumerate(left) if each.id == undone.item), None)
            if where is None:  # of an earlier time
                left.insert(place, store.items()[undone.item])
            else:
                place = where
            show(t("Undone: {label}", label=shown(undone.label)))
            continue
        try:
            label = None if typed == SKIP else answer_of(typed, item, kind, names)
        except Wrong as error:
            show(str(error))
            continue
        seconds = round(time.monotonic() - started, 2)
        store.answer(item.id, annotator, label, seconds=seconds, skipped=typed == SKIP)
        show(t("skipped") if typed == SKIP else shown(label))
        given += 1
        place += 1
    return max(given, 0)


def help_line(kind: Kind, names: Sequence[str]) -> str:
    """Which key does what."""
    classes = "  ".join(f"[{key}] {plain(name)}" for key, name in zip(KEYS, names, strict=False))
    common = t("[s] skip  [u] undo  [q] quit")
    how = {
        "class": "",
        "classes": t("Type the keys of all classes that fit, such as 1 3, then Enter; - for none."),
        "number": t("Type a number, then Enter."),
        "spans": t("Type the numbers of the words and a key, such as 2-3 1, 7 2, then Enter; - for none."),
    }[kind]
    return "\n".join(filter(None, [classes, how, common]))


def describe(item: Item) -> str:
    """Why the text is asked about, and what the model would answer."""
    parts = [item.strategy and f"({item.strategy})"]
    if item.guess is not None:
        parts.append(t("The model says {label}; Enter takes it.", label=plain(item.guess)))
    return " ".join(filter(None, parts))


def text_of(item: Item, kind: Kind) -> str:
    """The text as the terminal shows it; with numbered words where stretches are asked for."""
    if kind == "spans":
        places = units(item.text).tolist()
        return " ".join(f"{number}:{plain(item.text[a:b])}" for number, (a, b) in enumerate(places, 1))
    return plain(item.text) + ("" if item.pair is None else "\n---\n" + plain(item.pair))


def plain(text: str) -> str:
    """A text that cannot steer the terminal."""
    return UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)


def shown(label: Any) -> str:
    """A label for people."""
    if isinstance(label, list):
        names = [each if isinstance(each, str) else f"{each['label']} {each['start']}-{each['end']}" for each in label]
        return plain(", ".join(names)) or t("none")
    return t("skipped") if label is None else plain(str(label))


def answer_of(typed: str, item: Item, kind: Kind, names: Sequence[str]) -> Any:
    """The label that was typed, as JSON has it.

    Raises:
        Wrong: if it is none.
    """
    if kind == "number":
        return _number(typed)
    if kind == "class":
        if typed in ENTER and item.guess is not None:
            return item.guess
        return _name(typed, names)
    if typed in ENTER:
        raise Wrong(t("Type an answer, or - for none."))
    pieces = [] if typed == NONE else [each for each in re.split(r"[,;]", typed) if each.strip()]
    if kind == "classes":
        return sorted({_name(key, names) for piece in pieces for key in piece.split()})
    return sorted((_span(piece.split(), item.text, names) for piece in pieces), key=lambda span: span["start"])


def _name(key: str, names: Sequence[str]) -> str:
    place = KEYS.find(key) if len(key) == 1 else -1
    if not 0 <= place < len(names):
        raise Wrong(t("{key!r} is the key of no class.", key=plain(key)))
    return names[place]


def _number(typed: str) -> float:
    try:
        value = float(typed)
    except ValueError:
        raise Wrong(t("{key!r} is no number.", key=plain(typed))) from None
    if value != value or value in (float("inf"), float("-inf")):
        raise Wrong(t("{key!r} is no number.", key=plain(typed)))
    return value


def _span(words: Sequence[str], text: str, names: Sequence[str]) -> dict[str, Any]:
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", words[0]) if len(words) == 2 else None
    if found is None:
        raise Wrong(t("{key!r} is not the numbers of words and a key, such as 2-3 1.", key=plain(" ".join(words))))
    places = units(text).tolist()
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= last <= len(places):
        raise Wrong(t("The text has the words 1 to {count}.", count=len(places)))
    return {"start": places[first - 1][0], "end": places[last - 1][1], "label": _name(words[1], names)}
