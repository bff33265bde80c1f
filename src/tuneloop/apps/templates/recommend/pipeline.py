"""From ratings, texts and a graph to a release and a ranker: `python pipeline.py`; then `python measure.py`."""

import csv
from pathlib import Path

import numpy as np
from films import LIKED, SOURCE, likenesses, read_films, text_of, years

import tuneloop as tl
from tuneloop.recommend import Interactions, ItemNeighbours, Recommender, cases, read_interactions, split_by_time

DATA = Path("data")


def ratings_by_time() -> tuple:
    """What is before the ranker's lessons, these, all before the measurement, what it is measured by, and all."""
    ratings = read_interactions(f"{SOURCE}.inter", items=[film["id"] for film in read_films()])
    before, after = split_by_time(ratings, 0.8)
    return *split_by_time(before, 0.75), before, after, ratings


def write_pairs(films: list[dict], past: Interactions) -> None:
    """Texts of films that the same people like."""
    near = ItemNeighbours(past.liked(LIKED).matrix).pairs(least=20, most=2)
    with (DATA / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        rows = ([text_of(films[film]), text_of(films[other])] for film, other in near)
        csv.writer(file).writerows([["film", "near"], *rows])


def main() -> None:
    """Pairs of texts, a release that knows them, how like films are, and lessons for the ranker."""
    DATA.mkdir(exist_ok=True)
    films, (past, later, *_) = read_films(), ratings_by_time()
    write_pairs(films, past)
    release = tl.release(tl.tune("tuneloop.yaml"))
    print(release.id, {name: value["value"] for name, value in release.evaluation["metrics"].items()})
    vectors = release.embedder()([text_of(film) for film in films])
    found = likenesses(films, vectors)
    ours = Recommender(past, least=LIKED, likenesses=found, numbers=[years(films)])
    rows, wanted = ours.lessons(cases(past, later, least=LIKED))
    np.savez_compressed(DATA / "films.npz", vectors=vectors, rows=rows, wanted=wanted, **found)
    print(f"{len(films)} films, {len(rows)} lessons for the ranker, {wanted.mean():.1%} of them liked")


def load(past: Interactions) -> tuple[Recommender, np.ndarray]:
    """A recommender that knows `past`, and the films' vectors. The ranker learns anew: seconds, no pickle to trust."""
    with np.load(DATA / "films.npz") as kept:
        found = {name: kept[name] for name in kept.files}
    rows, wanted, vectors = (found.pop(name) for name in ("rows", "wanted", "vectors"))
    ours = Recommender(past, least=LIKED, likenesses=found, numbers=[years(read_films())])
    ours.fit(rows, wanted)
    return ours, vectors


if __name__ == "__main__":
    main()
