"""What to watch: `python app.py` serves the page at /, POST /api/recommend, and the text model's own API under /v1."""

import asyncio
import os
import threading
from pathlib import Path

import numpy as np
from fastapi import FastAPI
from films import read_films, reason
from pipeline import load, ratings_by_time
from pydantic import BaseModel, Field
from scipy.stats import rankdata

import tuneloop as tl
from tuneloop.apps import add_page

HALF, NEAR = 10, 50  # place at which half of a list's weight is gone; films that are near to a text


class Wish(BaseModel):
    """Ids of films that somebody likes, a few words on what they look for, or both."""

    liked: list[str] = Field(default=[], max_length=200)
    text: str = Field("", max_length=500)
    count: int = Field(10, ge=1, le=50)


class Shown(BaseModel):
    """A film, and why it is shown: `because` names a liked film and what both share."""

    id: str
    title: str
    year: str
    genres: list[str]
    because: dict | None
    near_text: bool
    likes: int


class Recommendations(BaseModel):
    """Films, the best first; and films that nobody has rated yet, found by their text alone. `unknown`: ids."""

    films: list[Shown]
    new: list[Shown]
    unknown: list[str]


def routes(server: FastAPI) -> FastAPI:
    """The server with the recommender's own routes."""
    films, (*_, ratings) = read_films(), ratings_by_time()
    (ours, vectors), embed, lock = load(ratings), tl.load("films").embedder(), threading.Lock()
    numbers, fresh = {film["id"]: number for number, film in enumerate(films)}, ours.chosen == 0

    def shown(film: int, history: np.ndarray, near_text: bool) -> Shown:
        about = films[film] | {"genres": films[film]["genres"].split()}
        return Shown(
            **about, because=reason(ours, films, film, history), near_text=near_text, likes=int(ours.likes[film])
        )

    def choose(wish: Wish) -> Recommendations:
        history = np.array([numbers[each] for each in dict.fromkeys(wish.liked) if each in numbers], np.int64)
        score, text, near = ours.scores(history, history), vectors @ vectors[history].sum(axis=0), set()
        if wish.text.strip():
            with lock:
                text = vectors @ embed([wish.text])[0]
            near = set(np.argsort(-text, kind="stable")[:NEAR].tolist())
            # with liked films too, what stands high in both lists comes first: reciprocal ranks (Cormack et al. 2009)
            score = sum(1 / (HALF + rankdata(-each)) for each in (text, score)) if len(history) else text
        score[history] = -np.inf
        best = np.argsort(-np.where(fresh, -np.inf, score), kind="stable")[: wish.count]
        new = np.argsort(-np.where(fresh, text, -np.inf), kind="stable")[: min(2, int(fresh.sum()))]
        lists = ([shown(film, history, film in near) for film in each.tolist()] for each in (best, new))
        return Recommendations(films=next(lists), new=next(lists), unknown=[i for i in wish.liked if i not in numbers])

    @server.post("/api/recommend")
    async def recommend(wish: Wish) -> Recommendations:
        """Films for somebody who likes these, or looks for this."""
        return await asyncio.to_thread(choose, wish)

    @server.get("/api/films")
    async def search(title: str) -> list[dict]:
        """The most liked films with these letters in their title."""
        found = [number for number, film in enumerate(films) if title.lower() in film["title"].lower()]
        return [films[number] for number in sorted(found, key=lambda number: -ours.likes[number])[:8]]

    add_page(server, Path(__file__).with_name("page.js"), title="What to watch")
    return server


if __name__ == "__main__":
    tl.serve(
        "films", config="tuneloop.yaml", port=int(os.environ.get("PORT", "8000")), around=routes,
        ready=lambda url: print(f"Recommendations are open at {url}", flush=True),
    )  # fmt: skip
