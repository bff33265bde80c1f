"""What every method promises, checked for each registered one on a tiny BERT."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from tuneloop.core.config import RunConfig, TaskConfig, parse_config
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.paths import Workspace
from tuneloop.data.tokens import Tokens
from tuneloop.methods import BASELINES, METHODS
from tuneloop.methods.adaptation import PeftMethod
from tuneloop.methods.base import count_parameters
from tuneloop.methods.catalogue import refusals
from tuneloop.models.load import APART
from tuneloop.tasks import TASKS, create_task
from tuneloop.training.plan import plan
from tuneloop.training.prepare import prepare
from tuneloop.training.run import Run, tune

TRAINING = {"epochs": 10, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}

REFUSALS = {(method, task): why for method in METHODS.names() for task, why in refusals(method).items()}
COMBINATIONS = [each for each, why in REFUSALS.items() if not why]
OFTEN = ("full",)
"""The method that `make test` tries on every task; of the others classification; `make test-long` tries the rest."""
JUDGING = [method for method, task in COMBINATIONS if task == "classification"]


def marked(combinations: list[tuple[str, str]]) -> list[Any]:
    """Combinations as parameters; those that `make test` leaves out are marked."""
    return [
        pytest.param(*each, marks=[] if each[1] == "classification" or each[0] in OFTEN else pytest.mark.long)
        for each in combinations
    ]


@pytest.fixture(scope="module")
def writer_of(chat_model: Path, talking_model: Path) -> Callable[[str], Path]:
    """The model that a method tunes to write; a prompt alone cannot teach one that knows nothing."""
    return lambda method: talking_model if method == "prompt" else chat_model


@pytest.fixture(scope="module")
def config(tiny_model: Path, writer_of: Any, options_of: Any) -> Callable[[str, str], RunConfig]:
    """The settings of a run of a method on a task."""

    def settings(method: str, task: str) -> RunConfig:
        chosen = {"type": method, **options_of(method, task)}
        data = {"source": "x.csv", "columns": {"pair": "pair"}}
        plain = {"data": data, "task": task, "method": chosen, "training": TRAINING}
        model = {"source": str(tiny_model), "max_tokens": 32 if method == "in_context" else 16}
        if TASKS.get(task).generates:
            plain |= {"task": {"type": task, "max_new_tokens": 4}, "training": TRAINING | {"epochs": 20}}
            model |= {"source": str(writer_of(method)), "max_tokens": 64}
        if TASKS.get(task).embeds:  # vectors are harder to learn
            plain |= {"task": {"type": task, "dropout": 0.0}, "training": TRAINING | {"epochs": 40, "batch_size": 16}}
        return parse_config(plain | {"model": model})

    return settings


@pytest.fixture(scope="module")
def trained(config: Any, made_up: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Run]:
    """A finished run of a method on a task, made once."""
    workspace, made = Workspace(tmp_path_factory.mktemp("workspace")), {}

    def run(method: str, task: str) -> Run:
        if (method, task) not in made:
            settings = config(method, task)
            made[method, task] = tune(settings, snapshot=made_up(task), workspace=workspace, quiet=True)
        return made[method, task]

    return run


@pytest.mark.parametrize(("method", "task"), [each for each, why in REFUSALS.items() if why])
def test_where_a_method_makes_no_sense_it_says_why_before_anything_is_written(
    made_up: Any, config: Any, tmp_path: Path, method: str, task: str
) -> None:
    with pytest.raises(ConfigError, match=f"method {method} needs") as refused:
        tune(config(method, task), snapshot=made_up(task), workspace=Workspace(tmp_path), quiet=True)
    assert "Choose" in refused.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("method", "task"), marked(COMBINATIONS))
def test_it_beats_the_majority_on_texts_it_has_not_seen(trained: Any, made_up: Any, method: str, task: str) -> None:
    handle, test = trained(method, task).handle(), made_up(task).split("test")
    known = create_task(TaskConfig(type=task), {"labels": made_up(task).labels})
    majority = BASELINES.get(known.baselines[0])().fit(made_up(task).split("train"), known, seed=0)
    ours, theirs = (each.task.metrics(test.labels, each.scores(test.inputs)) for each in (handle, majority))
    assert ours[handle.task.primary_metric] > theirs[handle.task.primary_metric] + 0.2


@pytest.mark.parametrize(("method", "task"), marked([each for each in COMBINATIONS if METHODS.get(each[0]).mergeable]))
def test_transformers_alone_gives_the_same_logits(trained: Any, made_up: Any, method: str, task: str) -> None:
    run, inputs = trained(method, task), made_up(task).split("test").inputs
    model = getattr(transformers, TASKS.get(task).architecture).from_pretrained(run.model_path)
    assert_answers_alike(run, model, inputs)


@pytest.mark.parametrize("method", JUDGING)
def test_the_same_run_again_has_the_same_weights(
    trained: Any, made_up: Any, config: Any, tmp_path: Path, method: str
) -> None:
    settings = config(method, "classification")
    again = tune(settings, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)
    first = trained(method, "classification")
    names = ["tuneloop.json", *(["model.safetensors", "config.json"] if METHODS.get(method).mergeable else [APART])]
    assert [(again.model_path / name).read_bytes() for name in names] == [
        (first.model_path / name).read_bytes() for name in names
    ]
    assert (again.path / "metrics.jsonl").read_bytes() == (first.path / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize("method", JUDGING)
def test_exactly_the_parameters_it_counts_have_changed(trained: Any, made_up: Any, config: Any, method: str) -> None:
    from safetensors.torch import load_file

    run = trained(method, "classification")
    before = prepare(config("full", "classification"), made_up("classification")).model
    ready = prepare(config(method, "classification"), made_up("classification")).model
    if METHODS.get(method).mergeable:
        after = load_file(run.model_path / "model.safetensors")
    else:
        after = dict(before.named_parameters()) | load_file(run.model_path / APART)
    moved = {name for name, value in before.named_parameters() if not torch.equal(value, after[name])}
    learning = {name for name, value in ready.named_parameters() if value.requires_grad}
    # an adapter of a layer moves that layer's weight when it is merged
    layers = {name.split(".lora_")[0].split(".ia3_")[0] for name in learning}
    assert {name for name in moved if not ({name, name.rpartition(".")[0]} & layers)} == set()
    assert {name for name, _ in before.named_parameters() if "classifier" in name} <= moved
    counted = sum(value.numel() for value in ready.parameters() if value.requires_grad)
    assert count_parameters(ready)[0] == counted == run.info["model"]["trained_parameters"]


@pytest.mark.parametrize(
    ("method", "task"),
    marked(
        [each for each in COMBINATIONS if issubclass(METHODS.get(each[0]), PeftMethod)]
        + [("prefix", "generation"), ("prompt", "generation")]
    ),
)
def test_peft_alone_puts_the_adapter_on_the_pretrained_model(
    trained: Any, made_up: Any, tiny_model: Path, writer_of: Any, method: str, task: str
) -> None:
    from peft import PeftModel

    run, inputs = trained(method, task), made_up(task).split("test").inputs
    outputs = run.handle().logits(inputs).shape[-1]
    kind = getattr(transformers, TASKS.get(task).architecture)
    writes = TASKS.get(task).generates
    base = kind.from_pretrained(writer_of(method)) if writes else kind.from_pretrained(tiny_model, num_labels=outputs)
    assert_answers_alike(run, PeftModel.from_pretrained(base, run.path / "adapter").eval(), inputs)
    small, whole = (sum(f.stat().st_size for f in (run.path / name).iterdir()) for name in ("adapter", "model"))
    assert small < whole


@pytest.mark.parametrize("method", JUDGING)
def test_a_run_says_what_it_was_and_what_it_cost(trained: Any, method: str) -> None:
    info = json.loads((trained(method, "classification").path / "run.json").read_text())
    assert info["status"] == "finished"
    assert info["model"]["trust_remote_code"] is info["model"]["wants_own_code"] is False
    assert info["peak_memory_bytes"] > 1e8
    assert info["temperature"] > 0
    assert 0 < info["best_step"] <= info["steps"]


@pytest.mark.parametrize(("method", "task"), marked(COMBINATIONS))
def test_a_dry_run_says_what_it_would_cost(config: Any, made_up: Any, method: str, task: str) -> None:
    planned = plan(config(method, task), snapshot=made_up(task))
    assert planned.method == method or method == "auto"
    assert planned.seconds > 0 and planned.memory_bytes > 1 << 20


@pytest.mark.parametrize("name", BASELINES.names())
def test_a_baseline_cannot_be_tuned(made_up: Any, config: Any, tmp_path: Path, name: str) -> None:
    settings = config(name, "classification")
    with pytest.raises(ConfigError, match=f"{name} is a baseline"):
        tune(settings, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "task"), [(name, task) for task in TASKS.names() for name in TASKS.get(task).baselines]
)
def test_the_baselines_of_a_task_answer_it(made_up: Any, name: str, task: str) -> None:
    data = made_up(task)
    known = create_task(TaskConfig(type=task), {"labels": data.labels})
    known.learn(data.split("train").labels)
    model, test = BASELINES.get(name)().fit(data.split("train"), known, seed=0), data.split("test")
    scores = model.scores(test.inputs)
    assert len(scores) == 60
    assert known.score_columns in (None, scores.shape[-1])
    if task != "retrieval":  # which decides on places among passages, and says how near they are
        assert [answer.label for answer in model.predict(test.inputs)] == known.decide(scores)
    if name in ("tfidf", "lexicon"):
        assert known.metrics(test.labels, scores)[known.primary_metric] > {"tfidf": 0.75, "lexicon": 0.5}[name]


def assert_answers_alike(run: Run, model: Any, inputs: Any) -> None:
    """A model of transformers gives the logits of a run, one text at a time."""
    handle = run.handle()
    tokens, ours = handle.tokenizer.encode(inputs), handle.logits(inputs)
    with torch.inference_mode():
        for row in range(len(tokens)):
            answer = model(**one(tokens, row))
            if handle.task.generates:  # the token that comes next
                answer.logits = answer.logits[:, -1]
            # a model for questions keeps beginning and end apart
            both = answer.get("start_logits"), answer.get("end_logits")
            theirs = (answer.logits if both[0] is None else torch.stack(both, dim=-1))[0].numpy()
            mine = ours[row, : len(theirs)] if theirs.ndim == 2 else ours[row]
            assert mine == pytest.approx(theirs, abs=1e-4 * max(1.0, float(np.abs(theirs).max())))


def one(tokens: Tokens, row: int) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in tokens.batch([row]).items()}


@pytest.mark.parametrize("method", [name for name in JUDGING if not METHODS.get(name).mergeable])
def test_transformers_refuses_a_folder_whose_adapter_it_would_leave_out(trained: Any, method: str) -> None:
    from transformers import AutoModelForSequenceClassification

    run = trained(method, "classification")
    with pytest.raises(ValueError, match="Unrecognized model"):
        AutoModelForSequenceClassification.from_pretrained(run.model_path)
    (run.model_path / APART).rename(run.model_path / "elsewhere")
    with pytest.raises(ModelError, match=f"{APART} cannot be read"):
        run.handle()
    (run.model_path / "elsewhere").rename(run.model_path / APART)
