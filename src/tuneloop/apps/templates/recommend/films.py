"""Films, how like they are in text, makers and genres, and why one is shown to who liked another."""

import csv
from pathlib import Path

import numpy as np

from tuneloop.knowledge.files import find_file
from tuneloop.knowledge.graph_files import read_graph
from tuneloop.recommend import Recommender, cosines, shared_facts

SOURCE = "pkg:recbole/dataset_example/ml-100k/ml-100k"
LIKED, FEW = 4, 5  # stars from which a film is liked; people below which it is not told how many they were
SHARED = ("series", "directed_by")  # relations of facts.csv in which two films may agree
SPEAKS = {"series": 2.0, "directed_by": 1.0, "genres": 0.3}  # how much each counts as a reason


def read_films() -> list[dict]:
    """Films of the package, then those of new_films.csv, which nobody has rated."""
    lines = find_file(f"{SOURCE}.item", base=Path()).read_text(encoding="utf-8").splitlines()[1:]
    films = [dict(zip(("id", "title", "year", "genres"), line.split("\t"), strict=True)) for line in lines]
    with Path("new_films.csv").open(encoding="utf-8", newline="") as file:
        return films + list(csv.DictReader(file))


def text_of(film: dict) -> str:
    """What the text model reads of a film."""
    return f"{film['title']} ({film['year']}). {film['genres']}"


def years(films: list[dict]) -> np.ndarray:
    """When each came out; NaN where that is not known."""
    return np.array([float(film["year"]) if film["year"].isdigit() else np.nan for film in films])


def likenesses(films: list[dict], vectors: np.ndarray) -> dict[str, np.ndarray]:
    """How like each two films are, in each way."""
    graph, titles = read_graph("facts.csv", base=Path()), [film["title"] for film in films]
    kinds = sorted({kind for film in films for kind in film["genres"].split()})
    found = {name: shared_facts(graph, titles, name) for name in SHARED}
    found["genres"] = cosines(np.array([[kind in film["genres"].split() for kind in kinds] for film in films], float))
    return found | {"text": cosines(vectors)}


def reason(ours: Recommender, films: list[dict], film: int, history: np.ndarray) -> dict | None:
    """The liked film that speaks most for another one, and what both share; None if nothing does."""
    near = ours.near.likeness[film, history] / max(ours.near.likeness[film].max(), 1e-9)
    speaks = near + sum(weight * np.minimum(ours.likenesses[name][film, history], 1) for name, weight in SPEAKS.items())
    if not len(history) or not speaks.max():
        return None
    one = int(history[speaks.argmax()])
    people, genres = int(ours.near.together[film, one]), (set(films[each]["genres"].split()) for each in (film, one))
    same = [name for name in SHARED if ours.likenesses[name][film, one]]
    return {"film": films[one]["title"], "same": same, "genres": sorted(set.intersection(*genres)),
            "people": people if people >= FEW else 0}  # fmt: skip
