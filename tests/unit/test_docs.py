"""What is written of the methods is what the code says of them."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path
from types import ModuleType

import pytest

from tuneloop.core.i18n import use_language
from tuneloop.methods import METHODS
from tuneloop.methods.catalogue import catalogue

DOCS = Path(__file__).parents[2] / "docs"


def load_writer() -> ModuleType:
    """docs/write_methods.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("write_methods", DOCS / "write_methods.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WRITER = load_writer()


@pytest.mark.parametrize("code", WRITER.PAGES)
def test_the_page_of_the_methods_says_what_the_code_says(code: str) -> None:
    page = (DOCS / WRITER.PAGES[code]).read_text(encoding="utf-8")
    assert page == WRITER.page(code), "run make docs"


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
