"""LightGCN of RecBole on the same split, users and figures as the template `recommend`.

    pip install --no-deps texttable colorlog colorama thop tabulate plotly    # what RecBole imports
    cd FOLDER_OF_THE_TEMPLATE && python -m benchmarks.recommend_lightgcn      # after its pipeline.py

LightGCN (He et al. 2020) has no vectors for users whom it was not trained with. So the histories of all asked users,
which a recommender may know, are among what it is trained with; what they want is not. How long it is trained is
chosen by the users of the time before, as our ranker is taught by them. RecBole 1.2.1 builds its matrix by a method
that scipy no longer has; here it is built anew by the same formula.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from recbole.model.general_recommender.lightgcn import LightGCN
from scipy.sparse import coo_array, diags_array

from tuneloop.recommend import Case, Interactions, beside, cases, measure, user_figures

SETTINGS = {
    "embedding_size": 64, "n_layers": 2, "reg_weight": 1e-5, "require_pow": False, "device": "cpu",
    "USER_ID_FIELD": "user", "ITEM_ID_FIELD": "item", "NEG_PREFIX": "neg_",
}  # fmt: skip
RATE, BATCH, MOST, EVERY = 5e-3, 2048, 60, 5


class Scipy(LightGCN):  # type: ignore[misc]
    """LightGCN whose matrix a present scipy can build."""

    def get_norm_adj_mat(self) -> Any:
        rows, columns = self.interaction_matrix.row, self.interaction_matrix.col + self.n_users
        ends = np.concatenate([rows, columns]), np.concatenate([columns, rows])
        size = self.n_users + self.n_items
        matrix = coo_array((np.ones(len(ends[0]), np.float32), ends), shape=(size, size)).tocsr()
        scale = diags_array(np.power(matrix.sum(axis=1) + 1e-7, -0.5))
        found = (scale @ matrix @ scale).tocoo()
        return torch.sparse_coo_tensor(
            torch.tensor(np.array(found.coords)), torch.tensor(found.data, dtype=torch.float32), found.shape
        ).coalesce()


def known(past: Interactions, asked: list[Case]) -> Any:
    """Who likes what: the past, and the histories of those who are asked."""
    matrix = past.liked(4).matrix.tolil()
    for case in asked:
        matrix[case.user, case.history] = 1
    return matrix.tocoo()


def train(matrix: Any, asked: list[Case], epochs: int, *, judge: bool) -> tuple[dict[int, float], Any]:
    """nDCG by epoch where it is judged, and the scores (users, items) at the end."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    numbers = {"user": matrix.shape[0], "item": matrix.shape[1]}
    matrix = SimpleNamespace(row=matrix.row, col=matrix.col, nnz=matrix.nnz, astype=lambda _: matrix)
    model = Scipy(SETTINGS, SimpleNamespace(inter_matrix=lambda form: matrix, num=numbers.__getitem__))
    optimizer, found = torch.optim.Adam(model.parameters(), lr=RATE), {}
    for epoch in range(1, epochs + 1):
        order = random.permutation(len(matrix.row))
        for part in np.array_split(order, -(-len(order) // BATCH)):
            batch = {"user": matrix.row[part], "item": matrix.col[part]}
            batch["neg_item"] = random.integers(0, numbers["item"], len(part))
            loss = model.calculate_loss({name: torch.as_tensor(each).long() for name, each in batch.items()})
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if judge and epoch % EVERY == 0:
            scores = table(model)
            figures = user_figures(asked, lambda case, scores=scores: scores[case.user])
            found[epoch] = float(figures["ndcg_at_10"].mean())
            print(epoch, round(found[epoch], 4), flush=True)
    return found, table(model)


def table(model: Any) -> Any:
    """The score of each user and item."""
    with torch.no_grad():
        users, items = model.forward()
        return (users @ items.T).numpy()


def main() -> None:
    """Its figures, and how the template's recommender compares on the same users."""
    sys.path.insert(0, str(Path.cwd()))
    from pipeline import load, ratings_by_time

    past, later, before, after, _ = ratings_by_time()
    first, asked = cases(past, later, least=4), cases(before, after, least=4)
    judged, _ = train(known(past, first), first, MOST, judge=True)
    epochs = max(judged, key=lambda epoch: judged[epoch])
    _, scores = train(known(before, asked), asked, epochs, judge=False)
    figures = user_figures(asked, lambda case: scores[case.user])
    print("LightGCN,", epochs, "epochs", measure(figures))
    ours, _ = load(before)
    print(beside(user_figures(asked, lambda case: ours.scores(case.history, case.seen)), figures))


if __name__ == "__main__":
    main()
