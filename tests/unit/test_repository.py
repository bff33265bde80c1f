"""What must hold of the whole source tree."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "tuneloop"
FILES = sorted(SOURCE.rglob("*.py"))


def sentences() -> set[str]:
    """Every sentence that a t("...") call of the sources shows to a person."""
    found = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "t" and node.args:
                found |= {part.value for part in [node.args[0]] if isinstance(part, ast.Constant)}
    return found


def chinese() -> dict[str, str]:
    catalogue: dict[str, str] = {}
    for path in (SOURCE / "core" / "locale" / "zh").glob("*.json"):
        catalogue |= json.loads(path.read_text(encoding="utf-8"))
    return catalogue


def test_every_sentence_exists_in_chinese_with_the_same_values() -> None:
    catalogue = chinese()
    assert len(sentences()) > 40
    assert sorted(sentences() - catalogue.keys()) == []
    fields = re.compile(r"\{(\w+)")
    for english, translated in catalogue.items():
        assert sorted(fields.findall(english)) == sorted(fields.findall(translated)), english


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_opens_a_file_that_could_run_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"^\s*(import|from) (pickle|joblib|dill)\b|torch\.load\(", text, re.MULTILINE)
    assert len(text.splitlines()) <= 400


def test_importing_tuneloop_imports_nothing_heavy() -> None:
    program = "import sys, tuneloop; print(sorted({'torch', 'pandas', 'transformers', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"
