"""One adapter for each period: the model that was gone on from is left as it is, and each text finds its own adapter.

The simplest of the ways that freeze what was learnt, such as Wang et al., "Learning to Prompt for Continual Learning"
(L2P, 2022), whose prompts are chosen by the frozen model's vector of an input, too.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.inference.opening import ROUTER, open_base, open_tokenizer, period_file
from tuneloop.knowledge.attach import reading_of
from tuneloop.methods.base import Method
from tuneloop.models.load import APART
from tuneloop.models.router import Router
from tuneloop.tasks import create_task

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.core.config import RunConfig
    from tuneloop.data.examples import Label
    from tuneloop.data.tokens import Tokens
    from tuneloop.tasks.base import Task
    from tuneloop.training.continual.past import Past
    from tuneloop.training.prepare import Prepared


def check_periods(past: Past, method: Method, config: RunConfig) -> None:
    """Nothing, if the method can leave an adapter for a period on the model that is gone on from.

    Raises:
        ConfigError: if not.
    """
    if method.mergeable or type(method).tokenizer is not Method.tokenizer or method.template:
        raise ConfigError(
            t("continual.adapters needs a method that leaves an adapter, and {name} does not.", name=method.name),
            t("Choose method: adapter or prefix, or lora with keep: apart."),
        )
    clean = config.data.clean.model_dump(include=set(past.settings["clean"]))
    if past.settings["max_tokens"] != config.model.max_tokens or past.settings["clean"] != clean:
        raise ConfigError(
            t("The adapters of {name} read texts of up to {count} tokens, mended in one way; this run would not.",
              name=past.name, count=past.settings["max_tokens"]),
            t("Set model.max_tokens and data.clean as they were."),
        )  # fmt: skip
    if config.knowledge.context or reading_of(past.folder):
        raise ConfigError(
            t("continual.adapters does not go with knowledge that is written behind texts."),
            t("Leave knowledge.context out, or continual.adapters."),
        )


def keep_periods(folder: Path, ready: Prepared, past: Past) -> dict[str, Any]:
    """Put the periods before this one, and what chooses between all of them, into a model folder.

    Returns:
        What its tuneloop.json says of it.
    """
    earlier, base = list(past.settings.get("periods") or []), open_base(past.folder, past.settings)
    for number in [number for number, period in enumerate(earlier, start=1) if period["method"] is not None]:
        _copy(period_file(past.folder, number), period_file(folder, number))
    if past.settings.get("apart"):
        _copy(past.folder / APART, period_file(folder, len(earlier) + 1))
    base = base.to(ready.model.device)  # type: ignore[arg-type]
    router = _with_period(_router(past, base), base, ready.train.tokens, ready.train.labels, ready.task)
    router.write(folder / ROUTER)
    return {"periods": [*earlier, _described(past)], "base_labels": past.source_labels}


def _described(past: Past) -> dict[str, Any]:
    """The newest period of the model that was gone on from."""
    tuned = {name: past.settings[name] for name in ("method", "pooling")}
    return {"name": past.name, "labels": list(past.labels)} | (
        tuned if past.settings.get("apart") else {"method": None}
    )


def _router(past: Past, base: PreTrainedModel) -> Router:
    """That of the periods so far; the first time, where the rows of the old model lie."""
    if (past.folder / ROUTER).is_file():
        return Router.read(past.folder / ROUTER)
    task, rows = create_task(past.task, past.settings["state"]), past.rows("train")
    tokens = open_tokenizer(past.source, task, past.settings | {"apart": False}).encode(rows.inputs)
    return _with_period(Router.empty(base.config.hidden_size), base, tokens, rows.labels, task)


def _with_period(router: Router, base: PreTrainedModel, tokens: Tokens, labels: list[Label], task: Task) -> Router:
    from tuneloop.models.routed import base_vectors

    one_class = task.problem_type == "single_label_classification"
    return router.with_period(base_vectors(base, tokens), [str(label) if one_class else "" for label in labels])


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
