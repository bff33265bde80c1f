"""How good it is: `python measure.py` splits by time, ranks all films, and compares on the same users."""

import numpy as np
from films import LIKED, SHARED
from pipeline import load, ratings_by_time

from tuneloop.recommend import beside, cases, measure, user_figures


def main() -> None:
    """Figures of everything that could be shown instead, on users whose later choices nobody has seen."""
    *_, before, after, _ = ratings_by_time()
    (ours, _), asked = load(before), cases(before, after, least=LIKED)
    ways = {
        "retrieval, then ranking": lambda case: ours.scores(case.history, case.seen),
        "item-kNN": lambda case: ours.near.scores(case.history),
        "popular": lambda case: ours.popular,
        "popular of late": lambda case: ours.late,
        "text alone": lambda case: ours.likenesses["text"][:, case.history].mean(axis=1),
        "facts alone": lambda case: sum(ours.likenesses[name][:, case.history].mean(axis=1) for name in SHARED),
    }
    figures = {name: user_figures(asked, way) for name, way in ways.items()}
    known, first = np.array([case.known for case in asked]), next(iter(ways))
    print(f"{len(asked)} users, {known.sum()} of them known before; {len(ours.popular)} films are ranked")
    for name, found in figures.items():
        told = (f"{m} {f.value:.3f} [{f.low:.3f}, {f.high:.3f}]" for m, f in measure(found).items())
        print(
            f"{name:24}",
            *told,
            *(f"{who} {found['ndcg_at_10'][known == (who == 'known')].mean():.3f}" for who in ("known", "new")),
            sep="  ",
        )
    for name in list(ways)[1:4]:
        for metric, found in beside(figures[first], figures[name]).items():
            print(f"{first} against {name}: {metric} {found.difference:+.3f} "
                  f"[{found.low:+.3f}, {found.high:+.3f}], p {found.p:.4f}: {found.verdict}")  # fmt: skip


if __name__ == "__main__":
    main()
