"""What is written of methods, tasks and settings is what the code says of them."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tuneloop.core.config import parse_config
from tuneloop.core.i18n import use_language
from tuneloop.experiments.jobs import candidates
from tuneloop.experiments.referee import with_settings
from tuneloop.methods import METHODS, create_method
from tuneloop.methods.catalogue import catalogue
from tuneloop.tasks import TASKS, create_task

DOCS = Path(__file__).parents[2] / "docs"


def load_writer() -> ModuleType:
    """docs/write_pages.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("write_pages", DOCS / "write_pages.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WRITER = load_writer()


@pytest.mark.parametrize("code", WRITER.PAGES)
def test_the_page_of_the_methods_says_what_the_code_says(code: str) -> None:
    page = (DOCS / WRITER.PAGES[code]).read_text(encoding="utf-8")
    assert page == WRITER.page(code), "run make docs"


@pytest.mark.parametrize("code", WRITER.TASK_PAGES)
def test_the_page_of_the_tasks_has_the_options_of_each(code: str) -> None:
    page = (DOCS / WRITER.TASK_PAGES[code]).read_text(encoding="utf-8")
    assert page == WRITER.task_page(code), "run make docs"
    assert all(f"### {name}\n\n|" in page for name in TASKS.names())


@pytest.mark.parametrize(
    ("name", "count"), [("howto.md", 17), ("howto.zh-CN.md", 17), ("generation.md", 4), ("generation.zh-CN.md", 4)]
)
def test_the_settings_of_a_page_are_valid(name: str, count: int) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == count
    for block in blocks:
        config = parse_config({"data": {"source": "x.csv"}} | yaml.safe_load(block), where=name)
        create_method(config.method)
        create_task(config.task, {"labels": ["a", "b"]})
        candidates(config, ["a", "b"])
        for setting, axis in config.search.space.items():
            with_settings(config, {setting: axis.choices[0] if axis.choices else axis.low})


def test_both_how_tos_have_the_same_blocks() -> None:
    english, chinese = (
        re.findall(r"```(?:yaml|python)\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)
        for name in ("howto.md", "howto.zh-CN.md")
    )
    assert english == chinese


def test_every_method_is_described_in_both_languages() -> None:
    use_language("zh")
    methods = catalogue()
    use_language(None)
    for method in methods:
        first = (inspect.getdoc(METHODS.get(method["name"])) or "").split("\n")[0]
        assert first.endswith("."), f"the first line of {method['name']} is no sentence"
        assert method["summary"] != first, f"{method['name']} has no Chinese summary"


def test_a_method_without_options_of_its_own_goes_with_every_task() -> None:
    full = next(each for each in catalogue() if each["name"] == "full")
    assert not any(full["tasks"].values())
    assert {each["name"] for each in full["options"]} >= {"frozen_layers", "head_scale"}
    assert not any(each["needed"] for each in full["options"])
