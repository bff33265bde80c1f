"""Who a text is about, and when there is more bad news of somebody than there should be."""

from collections.abc import Sequence
from pathlib import Path

from tuneloop.apps import Item
from tuneloop.knowledge import read_graph
from tuneloop.watch import Event, Warn, Warned, bursts

HERE = Path(__file__).parent
GRAPH = read_graph("entities.csv", base=HERE)
NAMES = {entity: names[0] for entity, names in GRAPH.names.items()}
FALSE_ALARMS_PER_MONTH = 1.0
"""That are borne, of all companies together."""

WARNINGS = [
    Warn(
        name=entity, words=tuple(names), labels=("negative",), every_s=3600,
        false_alarms_per_month=FALSE_ALARMS_PER_MONTH / len(NAMES),
    )
    for entity, names in GRAPH.names.items()
]  # fmt: skip


def tags(item: Item) -> dict[str, str]:
    """The companies that an item names, each once."""
    return {"about": " ".join(dict.fromkeys(link.entity for link in GRAPH.link(item.text) if link.entity in NAMES))}


def about(event: Event) -> set[str]:
    """The companies that were linked in an item."""
    return set(event.tags["about"].split())


def alarms(events: Sequence[Event]) -> list[Warned]:
    """Every burst of negative items about a company, the latest first, by the items' own time."""
    found = (bursts(warn, events, about=lambda event, name=warn.name: name in about(event)) for warn in WARNINGS)
    return sorted((burst for each in found for burst in each), key=lambda burst: -burst.at)
