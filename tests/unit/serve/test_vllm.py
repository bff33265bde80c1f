"""The command that starts vLLM, without vLLM."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tuneloop.core.config import ServeConfig, parse_config
from tuneloop.core.errors import MissingExtraError, ServeError
from tuneloop.core.paths import Workspace
from tuneloop.releases.read import Release
from tuneloop.serve.vllm import run_vllm, vllm_command
from tuneloop.training.run import tune

KEY = "k" * 32


@pytest.fixture(scope="module")
def run_with(chat_model: Path, made_up: type, tmp_path_factory: pytest.TempPathFactory):
    """Runs of one step of LoRA, by its options."""

    def tuned(**method):
        settings = {
            "name": "talk", "data": {"source": "x.csv"}, "model": {"source": str(chat_model), "max_tokens": 48},
            "task": {"type": "generation", "max_new_tokens": 5, "repetition_penalty": 1.25},
            "method": {"type": "lora", "rank": 3, **method},
            "training": {"epochs": 1, "batch_size": 90, "precision": "fp32", "report_to": []},
        }  # fmt: skip
        workspace = Workspace(tmp_path_factory.mktemp("vllm"))
        return tune(parse_config(settings), snapshot=made_up("generation"), workspace=workspace, quiet=True)

    return tuned


def option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def test_a_merged_model_is_served_as_it_was_evaluated(run_with, tmp_path):
    folder = run_with().model_path
    config = ServeConfig(host="0.0.0.0", port=9000, max_answer_tokens=8)
    command = vllm_command(Release("talk-1", folder, {"engine": "torch-bf16"}), config=config, folder=tmp_path)
    arguments = command.arguments
    assert arguments[:3] == ["vllm", "serve", str(folder.resolve())]
    assert arguments[3:6] == ["--served-model-name", "talk-1", "talk"]
    assert (option(arguments, "--host"), option(arguments, "--port")) == ("0.0.0.0", "9000")
    assert option(arguments, "--dtype") == "bfloat16" and option(arguments, "--max-model-len") == str(48 + 8)
    template = Path(option(arguments, "--chat-template"))
    assert "<|begin|>" in template.read_text()
    said = json.loads(option(arguments, "--override-generation-config"))
    assert said == {"temperature": 0.0, "repetition_penalty": 1.25}
    assert "--enable-lora" not in arguments and "--api-key" not in arguments
    assert shlex.split(str(command))[-len(arguments) :] == arguments
    assert "VLLM_NO_USAGE_STATS=1" in str(command)


def test_an_adapter_that_was_kept_apart_is_put_on_its_pretrained_model(run_with, tmp_path):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from tuneloop.inference.opening import open_model

    folder = run_with(keep="apart").model_path
    release = Release("talk-1", folder, {"engine": "torch-fp32"})
    arguments = vllm_command(release, config=ServeConfig(), folder=tmp_path / "files").arguments
    assert arguments[2] == str(folder.resolve() / "base") and option(arguments, "--dtype") == "float32"
    assert "--enable-lora" in arguments and option(arguments, "--max-lora-rank") == "8"
    name, adapter = option(arguments, "--lora-modules").split("=")
    assert name == "talk-1" and option(arguments, "--served-model-name") == "talk-1-base"
    ids = torch.tensor([[5, 6, 7, 9]])
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(arguments[2]), adapter)
    with torch.inference_mode():
        expected = open_model(folder, dtype=torch.float32)(ids).logits
        assert torch.allclose(theirs(ids).logits, expected, atol=1e-5)


def test_what_vllm_cannot_serve_is_refused(run_with, tmp_path):
    folder = run_with(keep="apart", dora=True).model_path
    with pytest.raises(ServeError, match="cannot put what talk-1"):
        vllm_command(Release("talk-1", folder, {"engine": "torch-fp32"}), config=ServeConfig(), folder=tmp_path)
    settings = json.loads((folder / "tuneloop.json").read_text())
    settings["task"] = {"type": "classification", "options": {}}
    (folder / "tuneloop.json").write_text(json.dumps(settings))
    with pytest.raises(ServeError, match="judges texts"):
        vllm_command(Release("talk-1", folder, {"engine": "torch-fp32"}), config=ServeConfig(), folder=tmp_path)


def test_the_key_stands_in_the_environment_alone(run_with, tmp_path):
    """A program called vllm that writes down how it was called."""
    told = tmp_path / "told.json"
    program = tmp_path / "bin" / "vllm"
    program.parent.mkdir()
    body = "import json, os, sys; json.dump([sys.argv[1:], dict(os.environ)], open(sys.argv[0] + '.json', 'w'))"
    program.write_text(f"#!{sys.executable}\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    release = Release("talk-1", run_with().model_path, {"engine": "torch-fp32"})
    command = vllm_command(release, config=ServeConfig(host="0.0.0.0"), folder=tmp_path)
    start = (
        "import sys, json; from tuneloop.serve.vllm import VllmCommand, run_vllm;"
        "given = json.loads(sys.argv[1]); run_vllm(VllmCommand(*given), host='0.0.0.0', api_key='k' * 32)"
    )
    environment = {**os.environ, "PATH": str(program.parent), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    given = json.dumps([command.arguments, command.environment])
    subprocess.run([sys.executable, "-c", start, given], env=environment, check=True, timeout=60)
    arguments, variables = json.loads((program.parent / "vllm.json").read_text())
    assert arguments == command.arguments[1:]
    assert variables["VLLM_API_KEY"] == KEY and variables["VLLM_NO_USAGE_STATS"] == "1"
    assert KEY not in str(command) and KEY not in str(arguments) and not told.exists()


def test_without_vllm_or_without_a_key_one_sentence_says_so(run_with, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    release = Release("talk-1", run_with().model_path, {"engine": "torch-fp32"})
    command = vllm_command(release, config=ServeConfig(), folder=tmp_path)
    with pytest.raises(MissingExtraError, match=r"tuneloop\[vllm\]"):
        run_vllm(command, host="127.0.0.1", api_key=None)
    with pytest.raises(ServeError, match="no API key"):
        run_vllm(command, host="0.0.0.0", api_key=None)


def test_the_command_is_printed_without_starting_anything(chat_model, run_with, tmp_path, capsys, monkeypatch):
    import shutil

    from tuneloop.cli.app import run
    from tuneloop.core.fsio import write_json
    from tuneloop.releases import index
    from tuneloop.releases.manifest import write_manifest

    monkeypatch.chdir(tmp_path)
    workspace, done = Workspace(tmp_path / "w"), run_with()
    shutil.copytree(done.model_path, workspace.releases / "talk-1")
    facts = {"id": "talk-1", "engine": "torch-fp32", "config": done.config.model_dump(mode="json")}
    write_json(workspace.releases / "talk-1" / "release.json", facts)
    write_manifest(workspace.releases / "talk-1")
    index.insert(index.Row("talk-1", "run", "hash", "2026-01-01", "torch-fp32"), workspace)
    asked = ["serve", "talk", "--port", "81", "--print-command", "-w", str(workspace.root)]
    assert run(asked) == 2 and "--engine vllm" in capsys.readouterr().err
    monkeypatch.setenv("TUNELOOP_API_KEY", KEY)
    assert run([*asked, "--engine", "vllm"]) == 0
    printed = shlex.split(capsys.readouterr().out)
    assert "vllm" in printed and option(printed, "--port") == "81" and KEY not in str(printed)
