"""An item as a text that a person reads, in which every part of it has its place: what explanations speak of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tuneloop.media.items import compose, is_item, parse

Place = tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """Where the parts of an item stand when it is shown.

    Args:
        shown: the text, then each value as `column = value`, then each file as `[image]`.
        text: the text alone, which `shown` begins with.
        values: the place of each value, by its column.
        files: the place of each file, by its modality.
    """

    shown: str
    text: str
    values: dict[str, Place]
    files: dict[str, Place]

    @property
    def places(self) -> list[Place]:
        """Of all parts but the text, in order."""
        return [*self.values.values(), *self.files.values()]

    @property
    def modalities(self) -> list[Place]:
        """Of all parts but the text, all values as one."""
        places = list(self.values.values())
        return [*([(places[0][0], places[-1][1])] if places else []), *self.files.values()]


def laid_out(given: str) -> Layout:
    """The layout of an item; that of a plain text is the text."""
    if not is_item(given):
        return Layout(given, given, {}, {})
    parts = parse(given)
    shown = text = str(parts.get("text", ""))
    values: dict[str, Place] = {}
    files: dict[str, Place] = {}
    said = [(values, name, f"{name} = {value}") for name, value in parts.get("tabular", {}).items()]
    said += [(files, name, f"[{name}]") for name in ("image", "audio") if name in parts]
    for places, name, words in said:
        shown += "\n" if shown else ""
        places[name] = (len(shown), len(shown) + len(words))
        shown += words
    return Layout(shown, text, values, files)


def left_of(given: str, text: str, kept: Iterable[Place]) -> str:
    """The item with another text, and of its other parts those that stand wholly in one of the places that are kept."""
    layout, parts, kept = laid_out(given), parse(given), list(kept)

    def stays(place: Place) -> bool:
        return any(start <= place[0] and place[1] <= end for start, end in kept)

    values = {name: parts["tabular"][name] for name, place in layout.values.items() if stays(place)}
    files = {name: parts[name] for name, place in layout.files.items() if stays(place)}
    return compose({"text": text, "tabular": values} | files)
