"""Going on from a model with new data: one file for each way of not forgetting. All are settings of any training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.config import RunConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.hashing import hash_json, hash_texts
from tuneloop.core.i18n import t
from tuneloop.data.examples import joined
from tuneloop.methods.base import GradientMethod, Method
from tuneloop.training.continual.held import Held
from tuneloop.training.continual.past import Past, find_past
from tuneloop.training.continual.periods import check_periods
from tuneloop.training.continual.replay import OldRows, old_rows

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedModel

    from tuneloop.core.paths import Workspace
    from tuneloop.data.batches import Turns
    from tuneloop.data.examples import Examples
    from tuneloop.data.tokens import Tokens
    from tuneloop.inference.predictor import Predictor
    from tuneloop.methods.split import Split
    from tuneloop.tasks.base import Task

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Continual:
    """What a run does so as not to forget; without `continual.model` all of it is nothing.

    Args:
        past: the model that is gone on from.
        split: the new train, dev or test.
        cache: where what was computed from old rows is kept; None keeps nothing.
    """

    config: RunConfig
    past: Past | None
    split: Callable[[str], Examples]
    cache: Path | None

    def labels(self, new: list[str]) -> list[str]:
        """The classes of the model: the old ones in their order, then new ones."""
        return self.past.with_new(new) if self.past else new

    def load(self, method: Method, task: Task, source: Path) -> PreTrainedModel:
        """The old model with outputs for new classes; without one the pretrained model in `source` with a new head."""
        if self.past is not None:
            return self.past.load(method, self.config, task)
        model = self.config.model
        return method.load(source, task, pooling=model.pooling, trust_remote_code=model.trust_remote_code)

    @cached_property
    def old(self) -> OldRows | None:
        """The old rows, where a setting needs them."""
        if self.past is None or not self.config.continual.reads_old_rows:
            return None
        return old_rows(self.past, self.config.continual, self.split, seed=self.config.seed, vectors=self._vectors)

    def train(self, rows: Examples, method: Method) -> Examples:
        """The new training rows, with old ones behind them: all of the memory, where an epoch takes a part of it."""
        if self.old is None:
            return rows
        replay, new = self.config.continual.replay, self.old.new(rows)
        if replay and _takes_turns(method):
            return joined(new, self.old.memory)
        return self.old.beside(new, replay, seed=self.config.seed)

    def turns(self, rows: Examples, tokens: Tokens, method: Method) -> Turns | None:
        """Which texts of `train` each epoch takes; None where it takes all of them."""
        replay = self.config.continual.replay
        if self.old is None or not replay or not _takes_turns(method):
            return None
        return self.old.turns(rows, tokens.inputs_of_groups, replay, seed=self.config.seed)

    def dev(self, rows: Examples) -> Examples:
        """The new rows of dev, with all old ones behind them: weights are chosen by what is good for both."""
        return rows if self.old is None else joined(rows, self.old.dev)

    @property
    def hashes(self) -> dict[str, str]:
        """What a checkpoint is bound to."""
        if self.past is None:
            return {}
        found = {"old_model": self.past.hash}
        if self.old is not None:
            rows = [self.old.memory, self.old.dev]
            found["old_rows"] = hash_json(
                [[list(part.texts), part.pairs and list(part.pairs), list(map(str, part.labels))] for part in rows]
            )
        return found

    def facts(self) -> dict[str, Any]:
        """What run.json says of it."""
        if self.past is None:
            return {}
        found: dict[str, Any] = {"model": self.past.name, "run": self.past.run, "old_classes": len(self.past.labels)}
        if self.config.continual.adapters:
            found["periods"] = len(self.past.settings.get("periods") or []) + 2
        if self.old is not None:
            given = self.split("train")
            new = self.old.new(given)
            replayed = self.old.beside(new, self.config.continual.replay, seed=0)
            found |= {
                "memory_rows": len(self.old.memory),
                "old_dev_rows": len(self.old.dev),
                "replayed_rows": len(replayed) - len(new),
                "new_rows_held_out_before": len(given) - len(new),
                "test_rows_trained_on_before": self.old.seen,
            }
        return found

    def check(self, method: Method) -> None:
        """Nothing, if the method can do what the settings ask for.

        Raises:
            ConfigError: if not.
        """
        settings = self.config.continual
        if self.past is not None and not _loads_as_usual(method):
            raise ConfigError(
                t("method {name} does not start from a tuned model's own last layer.", name=method.name),
                t("Choose method: full, lora, bitfit or probe, or leave continual.model out."),
            )
        if settings.adapters and self.past is not None:
            check_periods(self.past, method, self.config)
        stepwise = [name for name in ("ewc", "lwf", "l2_sp") if getattr(settings, name)]
        if stepwise and not (isinstance(method, GradientMethod) and method.trains_answers):
            raise ConfigError(
                t("continual.{name} needs training in steps, which method {method} has not.", name=stepwise[0],
                  method=method.name),
                t("Set continual.{name} to 0, or choose method: full or lora.", name=stepwise[0]),
            )  # fmt: skip
        if settings.average and not method.mergeable:
            raise ConfigError(
                t("continual.average mixes whole models, and method {name} keeps its part apart.", name=method.name),
                t("Set continual.average to false, or choose method: full, or lora with keep: merged."),
            )

    def held(
        self, model: PreTrainedModel, task: Task, *, known: set[str], train: Examples, tokens: Callable[..., Tokens]
    ) -> Held:
        """What is added to each step's loss.

        Args:
            model: before the first step, on its device.
            known: names of its parameters before the method has changed it.
            train: the rows that it is trained on.
            tokens: turns inputs into what the model reads.
        """
        settings, outputs = self.config.continual, len(self.past.labels) if self.past else 0
        held = Held(settings, outputs)
        if settings.ewc or settings.l2_sp:
            held.remember(model, known)
        if settings.ewc and self.old is not None:
            read = tokens(self.old.memory.inputs)
            held.weigh(model, task, read, seed=self.config.seed, path=self._place("fisher", self.old.memory, read))
        if settings.lwf:
            held.teach(self._logits(train), model.device)
        return held

    def _place(self, kind: str, rows: Examples, read: Tokens) -> Path | None:
        """Where something that hangs on the old model, the method, these rows and how they are read is kept."""
        from tuneloop.models.features import tokens_hash

        if self.cache is None:
            return None
        parts = [self.hashes, self.config.method.model_dump(mode="json"), list(rows.ids), tokens_hash(read)]
        return self.cache / "continual" / f"{kind}-{hash_json([*parts, self.config.seed])}.safetensors"

    def _logits(self, rows: Examples) -> FloatArray:
        from tuneloop.models.features import remember

        if self.cache is None:
            return self._ask(lambda predictor: predictor.logits(rows.inputs))
        name = hash_json([self.hashes, hash_texts(map(str, rows.inputs))])
        path = self.cache / "teachers" / f"{name}.npy"
        return remember(path, lambda: self._ask(lambda predictor: predictor.logits(rows.inputs)))

    def _vectors(self, rows: Examples) -> FloatArray:
        def read(predictor: Predictor) -> FloatArray:
            if not predictor.has_vectors:
                raise ConfigError(
                    t("continual.buffer: herding needs a vector of each text, which this model does not have."),
                    t("Choose class_balanced or reservoir."),
                )
            found: FloatArray = predictor.read(rows.inputs).vectors  # type: ignore[assignment]
            return found

        return self._ask(read)

    def _ask(self, question: Callable[[Predictor], FloatArray]) -> FloatArray:
        from tuneloop.inference.predictor import open_predictor

        assert self.past is not None
        predictor = open_predictor(self.past.folder)
        try:
            return question(predictor)
        finally:
            predictor.close()

    def finish(self, model: PreTrainedModel, task: Task, dev: Split, precision: str) -> dict[str, Any]:
        """What comes after training, in place: the mean with the old model. What run.json says of it."""
        if self.past is None or not self.config.continual.average:
            return {}
        import torch

        from tuneloop.inference.opening import open_model
        from tuneloop.training.continual.average import average

        old = open_model(self.past.folder, dtype=torch.float32).state_dict()
        return {"average": average(model, old, task, dev, precision)}


def continual(
    config: RunConfig, workspace: Workspace, *, split: Callable[[str], Examples], cache: Path | None
) -> Continual:
    """What the section `continual` of a configuration asks for.

    Raises:
        ConfigError: if the model it names is not there, or cannot be gone on from.
    """
    return Continual(config, find_past(config, workspace), split, cache)


def _takes_turns(method: Method) -> bool:
    """Whether an epoch of the method may take a part of the rows: not where it adds or deals them by itself."""
    kind = type(method)
    return issubclass(kind, GradientMethod) and (kind.gather, kind.batches) == (Method.gather, GradientMethod.batches)


def _loads_as_usual(method: Method) -> bool:
    from tuneloop.methods.lora import Lora

    return type(method).load in (Method.load, Lora.load)
