"""What one person is to label next."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.examples import Examples, as_input
from tuneloop.data.stored import as_label
from tuneloop.labelling.base import Suggestion
from tuneloop.labelling.choose import suggest
from tuneloop.labelling.kinds import kind_of
from tuneloop.labelling.pool import Pool, Text
from tuneloop.labelling.store import Item, LabelStore, item_id
from tuneloop.labelling.votes import adjudicate, disagreements

TRIES = 3
"""Rounds of suggestions, where others take what was suggested at the same time."""
ANY = 1_000_000


def next_items(
    store: LabelStore,
    annotator: str,
    read: Callable[[], Pool],
    *,
    model: Callable[[], Any] = lambda: None,
    strategy: str = "auto",
    count: int = 20,
    per_item: int = 1,
    seed: int = 0,
    encoder: str = "",
) -> list[Item]:
    """Texts for one person: first those that wait for an answer, then new ones that a strategy suggests.

    Args:
        read: the pool; asked only if new texts are needed, like `model`.
        per_item: how many people are to answer each text.
        encoder: see `labelling.choose.suggest`.

    Raises:
        DataError: if there is nothing left to label.
    """
    found = store.hand(annotator, list(store.items()), count=count, per_item=per_item)
    if len(found) == count:
        return found
    pool, handle = read(), None
    for attempt in range(TRIES):
        known = store.items()
        texts = _fresh(pool.unlabelled, known)
        if not texts or len(found) == count:
            break
        if attempt == 0 and strategy != "random":
            handle = model()
        suggestions = suggest(
            [as_input(*text) for text in texts], _labelled(store, pool, known), handle,
            strategy=strategy, count=count - len(found), seed=seed, encoder=encoder,
        )  # fmt: skip
        items = [_item(texts[each.row], each) for each in suggestions]
        store.keep(items)
        found += store.hand(annotator, [item.id for item in items], count=count - len(found), per_item=per_item)
    if not found:
        raise DataError(
            t("There is nothing left to label for {who}.", who=annotator),
            t("Give more texts with --pool FILE, or more people per text with --per-item."),
        )
    return found


def disagreed_items(store: LabelStore, annotator: str, *, count: int = 20) -> list[Item]:
    """Texts of which others say different things, the most split first.

    Raises:
        DataError: if there is none that this person has not answered.
    """
    ids = disagreements(store.answers())
    found = store.hand(annotator, ids, count=count, per_item=ANY)
    if not found:
        raise DataError(
            t("People disagree on {count} texts, and {who} has answered them all.", count=len(ids), who=annotator)
            if ids
            else t("People disagree on no text."),
            t("Let somebody else settle them: --annotator NAME") if ids else t("See: tuneloop label status"),
        )
    return found


def _fresh(texts: Sequence[Text], known: dict[str, Item]) -> list[Text]:
    """Texts that are not in the store, each once."""
    return list({key: text for text in texts if (key := item_id(*text)) not in known}.values())


def _labelled(store: LabelStore, pool: Pool, known: dict[str, Item]) -> Examples:
    """What is labelled in the files and, where most people agree, in the store."""
    taken = adjudicate(kind_of(store.task), store.answers())
    rows = {item_id(*text): (text, label) for text, label in pool.labelled}
    rows |= {
        item: ((known[item].text, known[item].pair), each.label)
        for item, each in taken.items()
        if each.label is not None
    }
    pairs = [text[1] for text, _ in rows.values()]
    return Examples(
        list(rows),
        [text[0] for text, _ in rows.values()],
        [as_label(label) for _, label in rows.values()],
        [each or "" for each in pairs] if any(each is not None for each in pairs) else None,
    )


def _item(text: Text, suggestion: Suggestion) -> Item:
    return Item(
        item_id(*text), text[0], text[1], "suggested", suggestion.strategy, float(suggestion.score), suggestion.guess,
        time.time(),
    )  # fmt: skip
