"""Knowledge travels with a model: what is evaluated is what is released and served."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tuneloop import api
from tuneloop.core.config import parse_config
from tuneloop.core.errors import ConfigError, ModelError, ReleaseError, TrainingError
from tuneloop.core.knowledge import KnowledgeConfig
from tuneloop.core.paths import Workspace
from tuneloop.data.readers import read_table
from tuneloop.evaluation.rules import rules_section
from tuneloop.inference.embedder import identity_of, open_embedder
from tuneloop.inference.predictor import open_predictor
from tuneloop.inference.ruling import final_scores, rulings
from tuneloop.knowledge.attach import knowledge_hash, load_knowledge
from tuneloop.knowledge.index import open_index
from tuneloop.knowledge.settings import NewIndex
from tuneloop.releases.index import reindex
from tuneloop.releases.knowledge import documents_of, open_knowledge
from tuneloop.releases.read import Release, open_release
from tuneloop.training.attach import attach
from tuneloop.training.knowledge import find_knowledge, keep_all
from tuneloop.training.run import tune

RULES = """version: 1
rules:
  - name: a-is-no
    if: {contains: a}
    then: {label: no}
    hard: true
    because: "An a is never good."
  - name: letters
    if: {lexicon: {category: vowel, min: 2}}
    then: {never: no}
    priority: 2
  - name: unsure
    if: {probability: {below: 0.99999}}
    then: {flag: true}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, made_up: Any) -> Path:
    """A folder with a configuration, its texts, rules and a lexicon."""
    folder, data = tmp_path_factory.mktemp("known"), made_up("classification")
    rows = [data.split(name) for name in ("train", "dev", "test")]
    lines = [json.dumps({"text": f"{text}"[:60], "label": label}) for part in rows
             for text, label in zip(part.texts, part.labels, strict=True)]  # fmt: skip
    (folder / "texts.jsonl").write_text("\n".join(lines))
    (folder / "rules.yaml").write_text(RULES)
    (folder / "vowels.csv").write_text("term,category\na,vowel\ne,vowel\ni,vowel\no,vowel\n")
    (folder / "leave.md").write_text("# Leave\n\nEach employee has 28 days of leave a year.\n")
    with open_knowledge("handbook", workspace=folder / ".tuneloop", create=True, encoder="none") as index:
        index.add([str(folder / "leave.md")], quiet=True)
    plain = {
        "data": {"source": "texts.jsonl", "clean": {"duplicates": "exact"}, "split": {"dev": 0.25, "test": 0.3}},
        "model": {"source": str(tiny_model), "max_tokens": 32},
        "knowledge": {"lexicons": ["vowels.csv"], "rules": "rules.yaml", "documents": "handbook"},
        "training": {"epochs": 3, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
        "evaluation": {"resamples": 100},
        "release": {"forms": []},
    }
    (folder / "tuneloop.yaml").write_text(json.dumps(plain))
    return folder


@pytest.fixture(scope="module")
def run(project: Path) -> Any:
    return api.tune(project / "tuneloop.yaml", quiet=True)


def answers_keep_to_the_rule(predictions: list[Any], texts: list[str]) -> bool:
    return all(each.label == "no" for each, text in zip(predictions, texts, strict=True) if "a" in text.split())


def test_predictions_keep_hard_rules_say_why_and_leave_probabilities_alone(run: Any, project: Path) -> None:
    texts = [str(text) for text in read_table("texts.jsonl", base=project).columns["text"]]
    handle = run.handle()
    scores, predictions = handle.scores(texts), handle.predict(texts)
    assert answers_keep_to_the_rule(predictions, texts)
    changed = [row for row, each in enumerate(predictions) if any(why.before != why.after for why in each.because)]
    assert changed
    for row in changed:
        assert predictions[row].label != handle.task.decide(scores[row : row + 1])[0]
        assert list(predictions[row].probabilities.values()) == scores[row].tolist()
    plain = predictions[changed[0]].to_json()
    assert plain["because"][0].keys() == {"rule", "before", "after", "matched", "because", "hard", "flag"}
    quiet = [each for each in predictions if not each.because]
    assert all("because" not in each.to_json() for each in quiet)


def test_a_run_without_the_knowledge_it_was_given_is_refused_wherever_it_is_opened(run: Any, project: Path) -> None:
    known = run.model_path / "knowledge"
    known.rename(project / "aside")
    try:
        for open_it in (run.handle, lambda: api.evaluate(run, quiet=True), lambda: api.release(run, quiet=True)):
            with pytest.raises(ModelError, match=f"The knowledge of the run {run.id} is missing") as caught:
                open_it()
            assert f"tuneloop knowledge attach {run.id}" in str(caught.value)
    finally:
        (project / "aside").rename(known)
    assert run.handle().has_rules


def test_the_evaluation_is_of_final_answers_and_tells_what_rules_did(run: Any, project: Path) -> None:
    found = api.evaluate(run, quiet=True)
    rules = {one["name"]: one for one in found["rules"]["rules"]}
    test = api.snapshot(project / "tuneloop.yaml", quiet=True).split("test")
    handle = run.handle()
    right = [each.label == label for each, label in zip(handle.predict(test.inputs), test.labels, strict=True)]
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(sum(right) / len(right))
    alone = handle.task.metrics(test.labels, handle.scores(test.inputs))
    assert found["rules"]["comparison"]["value_b"] == pytest.approx(alone["macro_f1"])
    assert found["rules"]["broken"] == 0 and rules["a-is-no"]["hard"]
    assert rules["a-is-no"]["held"] == sum("a" in text.split() for text in test.texts)
    gained = sum(one["wrong_to_right"] - one["right_to_wrong"] for one in rules.values())
    assert gained == sum(right) - round(alone["accuracy"] * len(right))
    assert found["knowledge"] == knowledge_hash(run.model_path)
    assert "An a is never good." in Path(found["report"]).read_text()


def test_a_release_carries_the_rules_and_is_served_with_them(run: Any, project: Path) -> None:
    made = api.release(run, quiet=True)
    assert made.info["served"]["agreement"] == 1.0 and made.info["served"]["max_difference"] < 1e-5
    assert "knowledge/rules.yaml" in json.loads((made.path / "manifest.json").read_text())["files"]
    texts = ["good good a", "good e"]
    assert answers_keep_to_the_rule(made.predict(texts), texts)
    output = project / "answers.jsonl"
    source = project / "asked.jsonl"
    source.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    api.predict_file(made.id, str(source), output=output, workspace=project / ".tuneloop", quiet=True)
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert rows[0]["prediction"] == "no"


def test_other_rules_need_no_training_but_a_new_evaluation(run: Any, project: Path) -> None:
    from tuneloop.releases.scorecard import evaluation_of

    workspace = Workspace(project / ".tuneloop")
    first = evaluation_of(run, workspace=workspace, quiet=True)
    assert evaluation_of(run, workspace=workspace, quiet=True) == first
    (project / "other.yaml").write_text(RULES.replace("label: no", "label: yes"))
    config = KnowledgeConfig(lexicons=("vowels.csv",), rules="other.yaml")
    weights = (run.model_path / "model.safetensors").read_bytes()
    changed = attach(run, config, base=project, workspace=workspace)
    assert (run.model_path / "model.safetensors").read_bytes() == weights
    assert changed.config.knowledge == config
    second = evaluation_of(changed, workspace=workspace, quiet=True)
    assert second["knowledge"] != first["knowledge"]
    assert [each.label for each in changed.handle().predict(["bad bad a"])] == ["yes"]
    attach(run, load_config(project), base=project, workspace=workspace)


def load_config(project: Path) -> KnowledgeConfig:
    return KnowledgeConfig(**json.loads((project / "tuneloop.yaml").read_text())["knowledge"])


def test_rules_that_do_not_fit_are_refused_before_anything_is_written(run: Any, project: Path) -> None:
    (project / "wrong.yaml").write_text("rules:\n  - name: r\n    then: {label: perhaps}\n")
    with pytest.raises(ConfigError, match=r"wrong\.yaml, line 2, rule r: .*perhaps"):
        api.tune(api.open_project(project / "tuneloop.yaml", overrides={"knowledge.rules": "wrong.yaml"}), quiet=True)
    before = knowledge_hash(run.model_path)
    with pytest.raises(ConfigError, match="perhaps"):
        attach(run, KnowledgeConfig(rules="wrong.yaml"), base=project, workspace=Workspace(project / ".tuneloop"))
    assert knowledge_hash(run.model_path) == before


def test_a_context_is_read_in_training_and_serving_alike(project: Path, made_up: Any) -> None:
    settings = {"knowledge.context": ["lexicon"], "knowledge.rules": None, "name": "context"}
    known = load_knowledge(KnowledgeConfig(lexicons=("vowels.csv",), context=("lexicon",)), base=project)
    assert known is not None and known.read(["x a o", ("not e", "b"), "x"]) == [
        "x a o [vowel, vowel]", ("not e [not vowel]", "b"), "x",
    ]  # fmt: skip
    opened = api.open_project(project / "tuneloop.yaml", overrides=settings)
    made = api.tune(opened, quiet=True)
    handle = open_predictor(made.model_path)
    plain = api.find(made.id, workspace=project / ".tuneloop").handle()
    assert handle.count_tokens(["x a"]) == plain.count_tokens(["x a"]) > handle.count_tokens(["x x"])
    assert handle.tokenizer.identity != handle.tokenizer._inside.identity
    dev = api.snapshot(opened, quiet=True).split("dev")  # what training has seen, serving sees
    assert handle.task.metrics(dev.labels, handle.scores(dev.inputs))["macro_f1"] == made.info["best_dev"]["macro_f1"]
    assert made.config.fingerprint()["knowledge"]["context"] == ["lexicon"]
    (project / "fewer.csv").write_text("term,category\na,vowel\n")
    with pytest.raises(TrainingError, match="other than in its training"):
        attach(
            made, KnowledgeConfig(lexicons=("fewer.csv",), context=("lexicon",)), base=project,
            workspace=Workspace(project / ".tuneloop"),
        )  # fmt: skip


@pytest.mark.parametrize("task", ["tagging", "generation", "qa"])
def test_a_context_or_rules_that_a_task_cannot_have_are_refused(task: str, project: Path) -> None:
    from tuneloop.inference.ruling import check_rules
    from tuneloop.models.knowing import check_context
    from tuneloop.tasks import TASKS

    known = load_knowledge(
        KnowledgeConfig(lexicons=("vowels.csv",), rules="rules.yaml", context=("lexicon",)), base=project
    )
    cls = TASKS.get(task)
    with pytest.raises(ConfigError, match=task):
        check_context(known, task=task, method="full", layout=cls.layout, places=bool(cls.spans_in))
    if task != "generation":
        with pytest.raises(ConfigError, match=task):
            check_rules(known, cls(cls.Options(), {"labels": ["no", "yes"]}))


ACTIONS = {
    "multilabel": ("then: {remove: cold, add: warm}", lambda label: "cold" not in label and "warm" in label),
    "pair_regression": ("if: {pair: {contains: b}}, then: {at_most: 7.5}", lambda label: label <= 7.5),
    "generation": ("then: {must_say: agreed, instead: agreed}", lambda label: label == "agreed"),
}


@pytest.mark.parametrize("task", sorted(ACTIONS))
def test_rules_have_the_last_word_in_other_tasks_too(
    task: str, tmp_path: Path, tiny_model: Path, chat_model: Path, made_up: Any
) -> None:
    rule, kept = ACTIONS[task]
    (tmp_path / "rules.yaml").write_text(f"rules:\n  - {{name: r, {rule}, hard: true}}\n")
    config = parse_config(
        {
            "data": {"source": "x.csv"},
            "task": {"type": task} | ({"max_new_tokens": 4} if task == "generation" else {}),
            "model": {"source": str(chat_model if task == "generation" else tiny_model), "max_tokens": 32},
            "knowledge": {"rules": "rules.yaml"},
            "training": {"epochs": 1, "batch_size": 16, "precision": "fp32", "report_to": []},
        }
    )
    run = tune(config, snapshot=made_up(task), workspace=Workspace(tmp_path), base=tmp_path, quiet=True)
    test, handle = made_up(task).split("test").select(range(8)), run.handle()
    scores, predictions = handle.scores(test.inputs), handle.predict(test.inputs)
    assert all(kept(each.label) for each in predictions) and any(each.because for each in predictions)
    found, final = rulings(handle, test.inputs, scores), final_scores(handle, test.inputs)
    assert found is not None and handle.knowledge is not None and handle.knowledge.book is not None
    decided = handle.task.decide(final)
    assert decided == [pytest.approx(each.label) if task == "pair_regression" else each.label for each in predictions]
    section = rules_section(
        handle.knowledge.book,
        found,
        task=handle.task,
        labels=test.labels,
        before=scores,
        after=final,
        seed=0,
        resamples=50,
    )
    assert section["broken"] == 0 and section["changed"] == sum(bool(each.because) for each in predictions)


def test_documents_travel_with_the_release_and_answer_with_citations(run: Any, project: Path) -> None:
    release = api.release(run, quiet=True)
    with open_knowledge("handbook", workspace=project / ".tuneloop") as index:
        index.remove([entry.name for entry in index.documents()])
    answer = release.ask("How many days of leave does an employee have?")
    assert "28 days" in answer.text and answer.citations[0].section == "Leave"
    assert release.ask("Which trains run to Bath?").abstained
    assert api.load(release.id, workspace=project / ".tuneloop").documents is not None  # every file is as it was


def test_documents_that_are_not_there_are_refused_before_training(project: Path) -> None:
    with pytest.raises(ConfigError, match="no index of documents called nowhere"):
        load_knowledge(KnowledgeConfig(documents="nowhere"), base=project, indexes=project)


@pytest.fixture
def encoder(tiny_model: Path, tmp_path: Path) -> Path:
    """A sentence encoder in a folder of its own, which says in a folder below that the mean is to be taken."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "encoder"))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    return folder


def index_of(name: str, encoder: str, workspace: Path) -> None:
    """An index with vectors, of texts that the tiny model can read."""
    pages = workspace.parent / "pages"
    pages.mkdir(exist_ok=True)
    (pages / "letters.md").write_text("# good\n\na b c good d e.\n\n# bad\n\nf g h bad i j. k l m n o a bad.\n")
    with open_knowledge(name, workspace=workspace, create=True, encoder=encoder) as index:
        index.add([str(pages)], quiet=True)


def attached(run: Any, project: Path, index: str) -> Any:
    config = load_config(project).model_copy(update={"documents": index})
    return attach(run, config, base=project, workspace=Workspace(project / ".tuneloop"))


def test_the_embedding_model_travels_with_the_documents(run: Any, project: Path, encoder: Path, tmp_path: Path) -> None:
    index_of("letters", str(encoder), project / ".tuneloop")
    release = api.release(attached(run, project, "letters"), quiet=True)
    with documents_of(release) as index:
        found = index.search("bad h i")
    answer = release.ask("bad f g h")
    assert found[0].cosine and answer.citations

    shutil.rmtree(encoder)
    there = Workspace(tmp_path / "elsewhere")
    shutil.copytree(release.path, there.releases / release.id)
    assert [row.id for row in reindex(there)] == [release.id]  # every file is in the manifest
    moved = open_release(release.id, there)
    with documents_of(moved) as index:
        assert index.search("bad h i") == found
    assert moved.ask("bad f g h").to_json() == answer.to_json()
    (moved.path / "knowledge" / "encoder" / "model.safetensors").write_bytes(b"other")
    with pytest.raises(ReleaseError, match=r"encoder/model\.safetensors"):
        open_release(release.id, there)
    attach(run, load_config(project), base=project, workspace=Workspace(project / ".tuneloop"))


def test_a_release_that_is_the_embedding_model_of_its_documents_has_it_once(
    project: Path, tiny_model: Path, made_up: Any
) -> None:
    training = {"epochs": 1, "batch_size": 16, "precision": "fp32", "report_to": []}
    plain = {"data": {"source": "x.csv"}, "task": "retrieval", "training": training, "release": {"forms": []}}
    config = parse_config(plain | {"name": "near", "model": {"source": str(tiny_model), "max_tokens": 16}})
    workspace = Workspace(project / ".tuneloop")
    near = tune(config, snapshot=made_up("retrieval"), workspace=workspace, quiet=True)
    shutil.copytree(near.model_path, workspace.releases / "near-1")
    identity = identity_of(near.model_path)

    encoder = open_embedder(near.model_path)
    with open_index(project / "own", encoder, new=NewIndex(source="near-1")) as index:
        index.add([str(project / "leave.md")], quiet=True)
    known = KnowledgeConfig(documents="own")
    again = attach(near, known, base=project, workspace=workspace)
    folder = again.model_path / "knowledge"
    assert (folder / "documents").is_dir() and not (folder / "encoder").exists()
    with documents_of(Release("near-2", again.model_path, {"engine": "torch-fp32"})) as index:
        assert index.embedder is not None and index.search("a b", mode="vector")

    other = find_knowledge(known, base=project, workspace=workspace)  # for any other model it is copied
    assert other is not None and other.encoder == workspace.releases / "near-1"
    keep_all(other, folder / "copy")
    (folder / "copy" / "encoder").rename(folder / "encoder")
    assert identity_of(folder / "encoder") == identity
    assert identity_of(near.model_path) == identity  # what travels with a model makes no other model of it


def test_an_embedding_model_that_is_gone_or_another_is_refused_before_training(
    project: Path, encoder: Path, tiny_model: Path
) -> None:
    index_of("gone", str(encoder), project / ".tuneloop")
    (encoder / "1_Pooling" / "config.json").unlink()
    with pytest.raises(ModelError, match="not the one that the documents were indexed with"):
        api.tune(api.open_project(project / "tuneloop.yaml", overrides={"knowledge.documents": "gone"}), quiet=True)
    shutil.rmtree(encoder)
    with pytest.raises(ModelError, match="of the documents is not there"):
        api.tune(api.open_project(project / "tuneloop.yaml", overrides={"knowledge.documents": "gone"}), quiet=True)
