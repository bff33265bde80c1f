"""One person at a screen: the text that is asked about, the answer to it, and the way back."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from tuneloop.labelling.kinds import KINDS, refuse_unknown
from tuneloop.labelling.store import Answer, Item, LabelStore
from tuneloop.labelling.votes import disagreements

BATCH = 20
ANY = 1_000_000


class Progress(NamedTuple):
    """How far one person is.

    Args:
        answered: texts that they have answered.
        skipped: texts that they have skipped.
        texts: that were suggested or imported, for whomever.
        split: texts of which people say different things.
    """

    answered: int
    skipped: int
    texts: int
    split: int


class Desk:
    """The texts of one person, one at a time. Nothing is kept here that is not in the store.

    Args:
        store: the labels, from which two desks never hand out one text unless several people are to answer it.
        annotator: who answers.
        per_item: how many people are to answer each text.
        disagreed: instead show the texts of which others say different things.
    """

    def __init__(self, store: LabelStore, annotator: str, *, per_item: int = 1, disagreed: bool = False) -> None:
        self.annotator = annotator
        self._store = store
        self._per_item = per_item
        self._disagreed = disagreed
        self._left: list[Item] = []
        self._since = time.monotonic()
        self.before: Answer | None = None
        """What was said of the text that is shown, where it was taken back just now."""

    @property
    def current(self) -> Item | None:
        """The text that is to be answered; None if none waits."""
        if not self._left:
            self._left = self._handed()
            self._since = time.monotonic()
        return self._left[0] if self._left else None

    def answer(self, item: str, label: Any = None, *, skipped: bool = False) -> bool:
        """Keep the answer to the text on the screen; it is on the disk when this returns.

        Args:
            item: the text that the person saw. If another one is current by now, nothing is kept and this is False.

        Raises:
            ValueError: if the label is none of the classes.
            StorageError: if the disk refuses; the text stays.
        """
        if not self._left or self._left[0].id != item:
            return False
        if not skipped:
            refuse_unknown(self._store.task, label, self._store.names)
        seconds = round(time.monotonic() - self._since, 2)
        self._store.answer(item, self.annotator, label, seconds=seconds, skipped=skipped)
        del self._left[0]
        self.before, self._since = None, time.monotonic()
        return True

    def undo(self) -> Answer | None:
        """Take the person's last answer back and ask about its text again; None if there is none."""
        undone = self._store.undo(self.annotator)
        if undone is not None:
            self._left = [each for each in self._left if each.id != undone.item]
            self._left.insert(0, self._store.items()[undone.item])
            self.before, self._since = undone, time.monotonic()
        return undone

    def progress(self) -> Progress:
        """How far the person is."""
        answers = self._store.answers(skipped=True)
        mine = [each.skipped for each in answers if each.annotator == self.annotator]
        split = disagreements(each for each in answers if not each.skipped)
        return Progress(mine.count(False), mine.count(True), len(self._store.items()), len(split))

    def _handed(self) -> list[Item]:
        if self._disagreed:
            return self._store.hand(self.annotator, disagreements(self._store.answers()), count=BATCH, per_item=ANY)
        return self._store.hand(self.annotator, list(self._store.items()), count=BATCH, per_item=self._per_item)


def asks_here(task: str) -> bool:
    """Whether one key, a few, or a number is an answer; stretches of a text are marked elsewhere."""
    return KINDS.get(task) in ("class", "classes", "number")
