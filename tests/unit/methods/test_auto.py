"""`method: auto` takes the method that suits the case, once, and says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.config import RunConfig, TaskConfig, parse_config
from tuneloop.core.errors import ConfigError, ModelError, TrainingError
from tuneloop.core.i18n import use_language
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.methods import auto
from tuneloop.methods.auto import RULES, Case, choose
from tuneloop.models.source import count_weights
from tuneloop.tasks import create_task
from tuneloop.training import choice
from tuneloop.training.plan import plan
from tuneloop.training.run import Run, tune

GIB = 1 << 30
THREE = create_task(TaskConfig(type="classification"), {"labels": ["a", "b", "c"]})
MINILM = Case(THREE, labelled=4000, parameters=22_700_000, memory_bytes=8 * GIB)
FEW = replace(MINILM, labelled=48)


def of(task: str) -> Any:
    return create_task(TaskConfig(type=task), {"labels": ["a", "b", "c"]})


@pytest.mark.parametrize(
    ("case", "method", "reason"),
    [
        (MINILM, "full", "23 million"),
        (FEW, "contrastive", "16 labels for each class"),
        (replace(MINILM, labelled=299), "contrastive", "100 labels"),
        (replace(MINILM, labelled=300), "full", "300 texts"),
        (replace(FEW, labelled=0), "zero_shot", "no training text has a label"),
        (replace(MINILM, parameters=335_000_000, memory_bytes=80 * GIB), "lora", "335 million"),
        (replace(MINILM, parameters=110_000_000, memory_bytes=4 * GIB), "lora", "2.0 GiB"),
        (replace(MINILM, parameters=110_000_000, memory_bytes=16 * GIB), "full", "110 million"),
        (replace(FEW, texts_alone=False), "full", "48 texts"),
        (replace(FEW, task=of("multilabel")), "full", "48 texts"),
        (replace(FEW, task=of("tagging")), "full", "48 texts"),
        (replace(FEW, task=of("qa"), parameters=400_000_000), "lora", "400 million"),
        (replace(FEW, task=of("multiple_choice")), "full", "48 texts"),
    ],
)
def test_a_case_has_its_method_and_its_reason(case: Case, method: str, reason: str) -> None:
    name, why = choose(case)
    assert name == method
    assert why.startswith(f"Method {method}: ") and reason in why


def test_without_labels_only_classes_of_single_texts_have_a_method() -> None:
    with pytest.raises(ConfigError, match="task qa cannot do without"):
        choose(replace(FEW, labelled=0, task=of("qa")))


def test_every_rule_gives_its_reason_in_both_languages() -> None:
    for rule in RULES:
        english = rule.why(MINILM)
        use_language("zh")
        try:
            assert rule.method in rule.why(MINILM) != english
        finally:
            use_language(None)


def test_the_weights_of_a_folder_are_counted(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForMaskedLM

    whole = AutoModelForMaskedLM.from_pretrained(tiny_model)
    assert count_weights(tiny_model) == sum(each.numel() for each in whole.parameters())
    (tmp_path / "model.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match="cannot be read"):
        count_weights(tmp_path)


def settings(source: Path, method: Any = "auto") -> RunConfig:
    training = {"epochs": 1, "batch_size": 8, "precision": "fp32", "report_to": []}
    model = {"source": str(source), "max_tokens": 16}
    return parse_config({"data": {"source": "x.csv"}, "method": method, "training": training, "model": model})


@pytest.fixture
def enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up texts are labels enough."""
    monkeypatch.setattr(auto, "FEW_LABELS", 30)


@pytest.fixture
def run(enough: None, tiny_model: Path, made_up: Any, tmp_path: Path) -> Run:
    """A finished run of a method that was chosen."""
    data = made_up("classification")
    return tune(settings(tiny_model), snapshot=data, workspace=Workspace(tmp_path / "ws"), quiet=True)


def test_the_run_says_what_was_asked_and_what_was_done(run: Run) -> None:
    assert "method:\n  type: full\n  asked: auto\n" in (run.path / "config.yaml").read_text()
    assert run.info["chosen"]["asked"] == "auto" and run.info["chosen"]["method"] == "full"
    assert "90 texts" in run.info["chosen"]["why"]
    assert '"type": "full"' in (run.model_path / "tuneloop.json").read_text()
    assert len(run.handle().predict(["good a"])) == 1


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.usefixtures("enough")
def test_the_reason_is_shown(tiny_model: Path, made_up: Any, tmp_path: Path, capsys: Any, quiet: bool) -> None:
    data = made_up("classification")
    tune(settings(tiny_model), snapshot=data, workspace=Workspace(tmp_path), quiet=quiet)
    assert ("Method full: " in capsys.readouterr().err) is not quiet


def test_a_run_goes_on_with_what_was_chosen_even_where_another_would_be(
    run: Run, tiny_model: Path, made_up: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "memory_bytes", lambda _: 1)
    data, workspace = made_up("classification"), Workspace(tmp_path / "ws")
    assert choice.settle(settings(tiny_model), data)[0].method.type == "lora"
    for config in (settings(tiny_model), run.config, settings(tiny_model, "full")):
        again = tune(config, snapshot=data, workspace=workspace, resume=run.id, quiet=True)
        assert again.path == run.path
    with pytest.raises(TrainingError, match=r"method\.type full -> lora"):
        tune(settings(tiny_model, "lora"), snapshot=data, workspace=workspace, resume=run.id, quiet=True)


@pytest.mark.usefixtures("enough")
def test_a_plan_says_it_too(tiny_model: Path, made_up: Any) -> None:
    planned = plan(settings(tiny_model), snapshot=made_up("classification"))
    assert planned.method == "full"
    assert planned.rows()[0][1] == planned.why
    named = plan(settings(tiny_model, "full"), snapshot=made_up("classification"))
    assert named.why == "" and named.trained_parameters == planned.trained_parameters


def test_texts_without_labels_are_answered_by_the_names_of_the_classes(
    tiny_model: Path, made_up: Any, tmp_path: Path
) -> None:
    class Unlabelled(made_up):  # type: ignore[misc]
        def split(self, name: str) -> Examples:
            rows = super().split(name)
            return Examples(rows.ids, rows.texts) if name == "train" else rows

    data = Unlabelled("classification")
    run = tune(settings(tiny_model), snapshot=data, workspace=Workspace(tmp_path), quiet=True)
    assert run.config.method.type == "zero_shot"
    assert run.handle().scores(["good", "bad"]).shape == (2, 2)


def test_it_has_no_options(tiny_model: Path, made_up: Any, tmp_path: Path) -> None:
    config = settings(tiny_model, {"type": "auto", "rank": 4})
    with pytest.raises(ConfigError, match="no setting rank"):
        tune(config, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)
