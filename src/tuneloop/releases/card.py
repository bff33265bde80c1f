"""The model card: README.md with YAML front matter."""

from __future__ import annotations

import json
from typing import Any

import yaml

from tuneloop.core.i18n import t


def card(info: dict[str, Any], evaluation: dict[str, Any]) -> str:
    """Markdown: what the model is, the data hash, the metrics with intervals as measured, the limits."""
    config = info["config"]
    front = {"base_model": config["model"]["source"], "library_name": "transformers", "tags": [config["task"]["type"]]}
    if config["release"]["license"]:
        front["license"] = config["release"]["license"]
    lines = ["---", yaml.safe_dump(front, allow_unicode=True).rstrip(), "---", "", f"# {info['id']}", ""]
    lines += [
        t("Run: {run}. Data: {data}. Engine: {engine}.", run=info["run"], data=info["data_hash"], engine=info["engine"])
    ]
    lines += ["", "## " + t("Metrics"), ""]
    metrics = evaluation.get("metrics", {})
    lines += [f"- {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in metrics.items()]
    lines += ["", "## " + t("Limits"), "", config["release"]["limits"] or t("None were stated.")]
    return "\n".join(lines) + "\n"
