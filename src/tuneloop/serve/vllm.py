"""A release that writes, served by vLLM: the command that starts it. The key stands in the environment alone.

Kwon et al., "Efficient Memory Management for Large Language Model Serving with PagedAttention" (SOSP 2023).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import MissingExtraError, ServeError
from tuneloop.core.fsio import write_text
from tuneloop.core.i18n import t
from tuneloop.inference.opening import open_adapter, read_settings
from tuneloop.knowledge.attach import open_knowledge
from tuneloop.releases.index import model_of
from tuneloop.releases.read import Release
from tuneloop.serve.security import Guard

KEY_VARIABLE = "VLLM_API_KEY"
QUIET = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
"""vLLM tells its makers how it is used unless it is told not to; and nothing has to be fetched."""

LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Widths that vLLM makes room for."""


@dataclass(frozen=True)
class VllmCommand:
    """How vLLM is started.

    Args:
        arguments: the command and its arguments; none of them is secret.
        environment: variables that are set, without the key.
    """

    arguments: list[str]
    environment: dict[str, str]

    def __str__(self) -> str:
        """The command as a shell takes it."""
        return " ".join([*(f"{name}={value}" for name, value in self.environment.items()), shlex.join(self.arguments)])


def vllm_command(release: Release, *, config: ServeConfig, folder: Path) -> VllmCommand:
    """The command that serves a release.

    Args:
        release: it writes.
        config: address and limits.
        folder: a place for files that vLLM needs and the release does not hold: a template, an adapter of PEFT.

    Raises:
        ServeError: if vLLM cannot serve it.
    """
    if config.rate or config.refuse:
        raise ServeError(
            t("serve.rate and serve.refuse are kept by tuneloop's own server, not by vLLM."),
            t("Leave them out and limit requests before vLLM, or serve without --engine vllm."),
        )
    settings = read_settings(release.path)
    if settings["task"]["type"] != "generation":
        raise ServeError(
            t("{release} judges texts, and vLLM serves models that write.", release=release.id),
            t("Serve it without --engine vllm."),
        )
    known = open_knowledge(release.path)
    if known is not None and known.book is not None:
        raise ServeError(
            t("{release} keeps to rules, which vLLM does not know.", release=release.id),
            t("Serve it without --engine vllm, or release it without rules."),
        )
    whole = release.path.resolve()
    model, names, lora = whole, [release.id, model_of(release.id)], []
    if settings.get("apart"):
        model, names = whole / "base", [f"{release.id}-base"]
        lora = _lora(release, folder / "adapter")
    architecture = json.loads((model / "config.json").read_text(encoding="utf-8"))
    if architecture.get("is_encoder_decoder"):
        raise ServeError(
            t("{release} reads with an encoder, and vLLM serves causal models.", release=release.id),
            t("Serve it without --engine vllm."),
        )
    arguments = ["vllm", "serve", str(model), "--served-model-name", *names]
    arguments += ["--host", config.host, "--port", str(config.port)]
    arguments += ["--dtype", "bfloat16" if release.engine.endswith("bf16") else "float32"]
    arguments += ["--max-model-len", str(_longest(settings, architecture, config))]
    arguments += ["--chat-template", str(_template(whole, folder))]
    arguments += ["--override-generation-config", json.dumps(_decoding(settings["task"]["options"]))]
    if settings.get("trust_remote_code"):
        arguments.append("--trust-remote-code")
    return VllmCommand([*arguments, *lora], QUIET)


def run_vllm(command: VllmCommand, *, host: str, api_key: str | None) -> None:
    """Become vLLM; does not return.

    Raises:
        MissingExtraError: if vLLM is not installed.
        ServeError: if the key is missing where it is needed, or too short.
    """
    Guard(host=host, api_key=api_key)
    program = shutil.which("vllm")
    if program is None:
        raise MissingExtraError("vllm", "vllm")
    secret = {KEY_VARIABLE: api_key} if api_key is not None else {}
    os.execve(program, command.arguments, {**os.environ, **command.environment, **secret})


def _longest(settings: dict[str, Any], architecture: dict[str, Any], config: ServeConfig) -> int:
    """Tokens of prompt and answer: what was tuned for, as far as the model reaches."""
    answer = max(config.max_answer_tokens, int(settings["task"]["options"].get("max_new_tokens", 0)))
    wanted = int(settings["max_tokens"]) + answer
    text = architecture.get("text_config") or architecture
    return min(wanted, int(text.get("max_position_embeddings") or wanted))


def _template(model: Path, folder: Path) -> Path:
    """The chat template that the model was tuned and evaluated with, as a file."""
    from tuneloop.models.chat import PLAIN_TEMPLATE, TEMPLATE_FILE, chat_template

    if (model / TEMPLATE_FILE).is_file():
        return model / TEMPLATE_FILE
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / TEMPLATE_FILE, chat_template(model) or PLAIN_TEMPLATE)
    return folder / TEMPLATE_FILE


def _decoding(options: dict[str, Any]) -> dict[str, float]:
    """What holds where a request says nothing: the decoding of the evaluation, of which vLLM has no beams."""
    from tuneloop.tasks.generation import GenerationOptions

    task = GenerationOptions.model_validate(options)
    drawn = task.decoding == "sample"
    chosen = {"temperature": task.temperature if drawn else 0.0, "repetition_penalty": task.repetition_penalty}
    return chosen | ({"top_p": task.top_p, "top_k": 0} if drawn else {})


def _lora(release: Release, folder: Path) -> list[str]:
    """The arguments that put the release's adapter on its pretrained model."""
    from tuneloop.training.save import save_adapter

    model, adapter = open_adapter(release.path)
    found = adapter.config if adapter is not None else {}
    rank = next((width for width in LORA_RANKS if width >= int(found.get("r") or LORA_RANKS[-1] + 1)), None)
    if adapter is None or found.get("peft_type") != "LORA" or found.get("use_dora") or rank is None:
        raise ServeError(
            t("vLLM cannot put what {release} has learnt on its pretrained model.", release=release.id),
            t("Use method lora, or tune with keep: merged."),
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    save_adapter(folder, adapter, model, str(release.path.resolve() / "base"))
    return ["--enable-lora", "--max-lora-rank", str(rank), "--lora-modules", f"{release.id}={folder}"]
