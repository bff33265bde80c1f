"""`tuneloop knowledge check`, `facts` and `path`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuneloop.cli.app import run

RULES = """rules:
  - {name: up, if: {contains: gain}, then: {label: good}}
  - {name: down, if: {contains: loss}, then: {label: bad}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "facts.csv").write_text(
        "head,relation,tail\njaws,directed_by,spielberg\net,directed_by,spielberg\njaws,name,Jaws\net,name,E.T.\n"
    )
    return tmp_path


def test_conflicts_end_the_check_with_a_code_and_no_conflicts_do_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "rows.csv").write_text("text\na gain\na loss and a gain\n")
    assert run(["knowledge", "check", "rules.yaml", "--data", "rows.csv", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert [each["kind"] for each in found["findings"]] == ["conflict"]
    assert found["trial"]["held"] == {"up": 2, "down": 1}
    assert found["trial"]["collisions"] == [{"rules": ["up", "down"], "rows": 1}]
    (folder / "rules.yaml").write_text(RULES.replace("label: bad}", "label: bad}, priority: 1"))
    assert run(["knowledge", "check", "rules.yaml"]) == 0


def test_facts_and_paths_are_told_in_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["knowledge", "facts", "I saw Jaws", "--graph", "facts.csv", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["facts"] == ["Jaws directed by spielberg"] and found["entities"][0]["start"] == 6
    assert run(["knowledge", "path", "Jaws", "E.T.", "--graph", "facts.csv"]) == 0
    assert capsys.readouterr().out == "Jaws directed by spielberg; E.T. directed by spielberg\n"
    assert run(["knowledge", "path", "Jaws", "Nobody", "--graph", "facts.csv"]) == 2
