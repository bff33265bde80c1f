"""What a model, or an encoder, makes of texts that nobody has labelled: a pool for strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.data.examples import Input
from tuneloop.labelling.strategies.base import FloatArray, Need, Pool

if TYPE_CHECKING:
    from tuneloop.inference.predictor import Predictor
    from tuneloop.tasks.base import ModelHandle

CHUNK = 512
"""Texts between two steps of the progress bar."""

PASSES = 10
"""With dropout on, for each text."""


def read_pool(
    items: Sequence[Input],
    labelled: Sequence[Input],
    model: ModelHandle | None,
    *,
    needs: Sequence[Need],
    encoder: str,
    seed: int,
    quiet: bool = False,
) -> Pool:
    """The pool that a strategy with these needs is given.

    Args:
        items: texts without labels.
        labelled: texts with labels.
        model: the tuned model; its probabilities and vectors.
        needs: what has to be there; vectors of labelled texts are read wherever those of the others are.
        encoder: a model source for vectors where there is no model, or where it tells none.
        seed: of dropout.

    Raises:
        ModelError: if the model cannot tell what is needed; it says why.
    """
    if not needs:
        return Pool(len(items))
    tell = _Teller(model, encoder, set(needs), quiet=quiet)
    probabilities, vectors = tell(items)
    their_probabilities, their_vectors = tell(labelled) if labelled else (None, None)
    draws = None
    if "draws" in needs:
        check_probable(model)
        draws = dropout_draws(_predictor(model, t("It draws answers with dropout on.")), items, seed=seed, quiet=quiet)
    return Pool(len(items), probabilities, vectors, draws, their_probabilities, their_vectors)


class _Teller:
    """Texts to probabilities and vectors, as far as they are needed."""

    def __init__(self, model: ModelHandle | None, encoder: str, needs: set[str], *, quiet: bool) -> None:
        self.model, self.quiet = model, quiet
        self.probable = bool({"probabilities", "labelled_probabilities"} & needs)
        if self.probable:
            check_probable(model)
        wants = bool({"vectors", "labelled_vectors"} & needs)
        self.heard = wants and bool(getattr(model, "has_vectors", False))
        self.embed = _embedder(model, encoder) if wants and not self.heard else None

    def __call__(self, items: Sequence[Input]) -> tuple[FloatArray | None, FloatArray | None]:
        """(n, classes) and (n, hidden), each None where it is not needed."""
        probabilities: list[FloatArray] = []
        vectors: list[FloatArray] = []
        for part in _parts(items, t("Reading texts"), quiet=self.quiet):
            if self.heard:
                found = _predictor(self.model, "").read(part, vectors=True)
                probabilities.append(found.probabilities)
                assert found.vectors is not None
                vectors.append(found.vectors)
            elif self.probable and self.model is not None:
                probabilities.append(self.model.scores(part))
            if self.embed is not None:
                vectors.append(self.embed(_whole(part)))
        return (
            np.concatenate(probabilities) if probabilities and self.probable else None,
            np.concatenate(vectors) if vectors else None,
        )


def embedded(items: Sequence[Input], encoder: str, *, quiet: bool = False) -> FloatArray:
    """Vectors of texts by an encoder, "" for the default one, float32, (n, dimensions).

    Raises:
        ModelError: if it cannot be opened.
    """
    embed = _embedder(None, encoder)
    parts = [embed(_whole(part)) for part in _parts(items, t("Reading texts"), quiet=quiet)]
    return np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32)


def check_probable(model: ModelHandle | None) -> None:
    """Raise a ModelError, with the reason, if a model gives no probability for each of several exclusive classes."""
    if model is None:
        raise ModelError(
            t("This strategy looks at a model's probabilities, and there is no model."),
            t("Tune one on a few labels first, or choose the strategy cluster."),
        )
    task = model.task
    if task.problem_type != "single_label_classification" or not task.has_probabilities:
        raise ModelError(
            t("This strategy looks at the probabilities of exclusive classes; the task {task} has none.",
              task=task.name),
            t("Choose cluster, coreset, discriminative or random."),
        )  # fmt: skip


def dropout_draws(
    predictor: Predictor, items: Sequence[Input], *, seed: int, passes: int = PASSES, quiet: bool = False
) -> FloatArray:
    """Probabilities of several passes, each with other weights dropped, float32, (passes, n, classes).

    Gal and Ghahramani, "Dropout as a Bayesian Approximation" (2016). Layers of dropout are in training mode, all else
    is as in serving; afterwards everything is.

    Raises:
        ModelError: if the engine is not torch, or the model has no dropout.
    """
    draws = []
    with _dropout(predictor, seed):
        for number in range(passes):
            title = t("Reading texts with dropout, {number} of {passes}", number=number + 1, passes=passes)
            parts = _parts(items, title, quiet=quiet)
            draws.append(np.concatenate([predictor.read(part, vectors=False).probabilities for part in parts]))
    return np.stack(draws)


@contextmanager
def _dropout(predictor: Predictor, seed: int) -> Iterator[None]:
    """Inside the block the model drops weights, drawn by the seed."""
    model: Any = getattr(predictor.engine, "model", None)
    if model is None or not hasattr(model, "modules"):
        raise ModelError(
            t("The model {name} cannot be run with dropout: its engine only has fixed weights.", name=predictor.name),
            t("Open it with torch-fp32, or choose another strategy, such as margin."),
        )
    import torch

    layers = [each for each in model.modules() if isinstance(each, torch.nn.Dropout) and each.p > 0]
    if not layers:
        raise ModelError(
            t("The model {name} has no dropout, so every pass would say the same.", name=predictor.name),
            t("Tune it with task.dropout, or choose another strategy, such as margin."),
        )
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        try:
            for layer in layers:
                layer.train(True)
            yield
        finally:
            for layer in layers:
                layer.train(False)


def _predictor(model: ModelHandle | None, why: str) -> Predictor:
    """The model, which must be able to `read`."""
    if model is None or not hasattr(model, "read"):
        name = model.name if model is not None else "-"
        raise ModelError(
            t("The model {name} only gives answers. {why}", name=name, why=why).strip(),
            t("Open a run or a release, or choose another strategy, such as margin."),
        )
    return model  # type: ignore[return-value]


def _embedder(model: ModelHandle | None, encoder: str) -> Callable[[Sequence[str]], FloatArray]:
    from tuneloop.inference.embedder import open_embedder
    from tuneloop.models.source import resolve

    if not encoder:
        if model is not None:
            raise ModelError(
                t("The model {name} gives no vector for each text.", name=model.name),
                t("Open it with torch-fp32, or name an encoder."),
            )
        from tuneloop.core.config import ModelConfig

        encoder = ModelConfig.model_fields["source"].default
    return open_embedder(resolve(encoder))


def _whole(items: Sequence[Input]) -> list[str]:
    """A pair as one text, as an encoder of sentences reads it."""
    return [item if isinstance(item, str) else "\n".join(item) for item in items]


def _parts(items: Sequence[Input], title: str, *, quiet: bool) -> Iterator[Sequence[Input]]:
    """The items, some at a time, under a progress bar."""
    with progress(title, len(items), quiet=quiet) as bar:
        for start in range(0, len(items), CHUNK):
            yield items[start : start + CHUNK]
            bar.update(min(start + CHUNK, len(items)))
