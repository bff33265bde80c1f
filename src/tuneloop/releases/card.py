"""The model card: README.md with YAML front matter, as Hugging Face reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import yaml

from tuneloop.core.i18n import t
from tuneloop.data.check import script_name
from tuneloop.evaluation.limits import limits
from tuneloop.evaluation.names import LOWER_IS_BETTER, figure_text, metric_name, model_name
from tuneloop.evaluation.report import verdicts
from tuneloop.evaluation.report_rules import comparison
from tuneloop.releases.cascade_words import told
from tuneloop.releases.exits_words import told as told_of_exits

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")

HUB_METRICS = {
    "accuracy": "accuracy", "subset_accuracy": "accuracy", "macro_f1": "f1", "micro_f1": "f1", "weighted_f1": "f1",
    "mcc": "matthews_correlation", "roc_auc": "roc_auc", "brier": "brier_score", "r2": "r_squared", "mae": "mae",
    "pearson": "pearsonr", "spearman": "spearmanr", "f1": "f1", "exact_match": "exact_match",
}  # fmt: skip
"""Our metrics by the names that Hugging Face has for them."""

PIPELINES = {
    "tagging": "token-classification", "qa": "question-answering", "multiple_choice": "multiple-choice",
    "similarity": "sentence-similarity", "retrieval": "sentence-similarity", "generation": "text-generation",
}  # fmt: skip
"""What Hugging Face calls a task; every other is a text-classification."""

OPENED_BY_PIPELINE = ("text-classification", "token-classification", "text-generation")

HAN_SHARE = 0.5
"""Share of Chinese texts from which the card names the language; Latin letters do not tell one."""


def card(info: dict[str, Any], evaluation: dict[str, Any]) -> str:
    """Markdown: what the model is, how good it is and how sure that is, on which data, and where it ends.

    Args:
        info: release.json.
        evaluation: evaluation.json; a part is left out where it says nothing.
    """
    front = yaml.safe_dump(_front_matter(info, evaluation), allow_unicode=True, sort_keys=False).rstrip()
    parts = [f"---\n{front}\n---", f"# {info['id']}", _about(info), _use(info)]
    if evaluation.get("metrics"):
        parts += [f"## {t('Metrics')}", *_metrics(evaluation)]
    if info["config"].get("knowledge", {}).get("context") or evaluation.get("rules"):
        parts += [f"## {t('Knowledge')}", *_knowledge(info, evaluation)]
    if "cascade" in info:
        parts += [f"## {t('Cascade')}", *told(info["cascade"])]
    if "exits" in info:
        parts += [f"## {t('Early exits')}", *told_of_exits(info)]
    if "abstaining" in info:
        parts += [f"## {t('Abstaining')}", *_abstaining(info["abstaining"])]
    parts += [f"## {t('Origin')}", _origin(info, evaluation), f"## {t('Limits')}", _limits(info, evaluation)]
    return "\n\n".join(parts) + "\n"


def _knowledge(info: dict[str, Any], evaluation: dict[str, Any]) -> Iterator[str]:
    """What answers rest on beside the model, which transformers alone does not know of."""
    if info["config"].get("knowledge", {}).get("context"):
        yield t("The model reads what is known of a text behind it; transformers alone would not write it there.")
    if found := evaluation.get("rules"):
        yield t(
            "The answers keep to {count} rules, and the figures are those of the answers after them; "
            "transformers alone gives the model's own answers.",
            count=len(found["rules"]),
        )
        yield comparison(found)
    yield t("Lexicons, rules and graph lie in knowledge/; knowledge.json says where they come from and their licence.")


def _abstaining(found: dict[str, Any]) -> Iterator[str]:
    """What tells foreign texts, and what sets of classes promise; transformers alone knows nothing of both."""
    if found["detectors"]:
        yield t(
            "A text is refused (`abstained`) if {name} finds it more foreign than all but {share:.0%} of the dev rows.",
            name=found["detectors"][0], share=found["false_alarms"],
        )  # fmt: skip
    if found["coverage"] is not None:
        yield t(
            "The set of classes of an answer (`set`) is to hold the right one in {share:.0%} of the texts that are "
            "like those of dev.", share=found["coverage"],
        )  # fmt: skip
    yield t("Both were calibrated on {rows} rows of dev, which also chose the weights.", rows=found["rows"])


def _front_matter(info: dict[str, Any], evaluation: dict[str, Any]) -> dict[str, Any]:
    config = info["config"]
    front: dict[str, Any] = {}
    if config["release"]["license"]:
        front["license"] = config["release"]["license"]
    scripts = evaluation.get("scripts", {})
    if scripts.get("han", 0) + scripts.get("mixed", 0) > HAN_SHARE:
        front["language"] = ["zh"]
    if HUB_ID.fullmatch(config["model"]["source"]):
        front["base_model"] = config["model"]["source"]
    front |= {
        "library_name": "tuneloop" if info.get("apart") or "cascade" in info else "transformers",
        "pipeline_tag": _pipeline(info),
    }
    front["tags"] = ["tuneloop", config["task"]["type"]]
    found = list(_hub_metrics(evaluation))
    if found:
        front["metrics"] = sorted({metric["type"] for metric in found})
        data = _data_name(config)
        result = {"task": {"type": _pipeline(info)}, "dataset": {"name": data, "type": data, "split": "test"}}
        front["model-index"] = [{"name": info["id"], "results": [result | {"metrics": found}]}]
    return front


def _hub_metrics(evaluation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, figure in evaluation.get("metrics", {}).items():
        if name in HUB_METRICS and figure["value"] is not None:
            yield {"type": HUB_METRICS[name], "name": name, "value": round(figure["value"], 4)}


def _about(info: dict[str, Any]) -> str:
    task = info["config"]["task"]["type"]
    sentences = {
        "classification": t("Gives a text one class."),
        "multilabel": t("Gives a text any number of classes."),
        "pair": t("Gives a pair of texts one class."),
        "regression": t("Gives a text a number."),
        "tagging": t("Finds stretches of a text and names them."),
        "qa": t("Finds the answer to a question in a text."),
        "multiple_choice": t("Chooses one of several answers to a question."),
        "similarity": t("Says whether two texts match, each by a vector of its own."),
        "retrieval": t("Gives queries and passages vectors that lie near each other where one answers the other."),
        "pair_regression": t("Gives a pair of texts a number."),
        "generation": t("Writes the answer to a prompt."),
    }
    return sentences.get(str(task), str(task))


def _pipeline(info: dict[str, Any]) -> str:
    return PIPELINES.get(str(info["config"]["task"]["type"]), "text-classification")


def _use(info: dict[str, Any]) -> str:
    kind = _pipeline(info)
    # transformers alone can neither put an adapter on nor read windows, choices or vectors as they were taught, and has
    # no pipeline for an encoder-decoder
    if info.get("apart") or info.get("encoder_decoder") or "cascade" in info or kind not in OPENED_BY_PIPELINE:
        asked = '"..."' if kind in OPENED_BY_PIPELINE else '("...", "...")'
        lines = [
            "```python",
            "import tuneloop as tl",
            "",
            f'answers = tl.load("{info["id"]}").predict([{asked}])',
            "```",
        ]
    else:
        lines = ["```python", "from transformers import pipeline", ""]
        lines += [f'answer = pipeline("{kind}", model="{info["id"]}")', "```"]
    return (
        "\n".join(lines) + "\n\n" + t("Or over HTTP, with its fastest form: `tuneloop serve {name}`", name=info["id"])
    )


def _metrics(evaluation: dict[str, Any]) -> Iterator[str]:
    if "rows" in evaluation:
        yield from verdicts(evaluation)
    columns = {t("The model"): evaluation["metrics"]}
    columns |= {model_name(name): found for name, found in evaluation.get("baselines", {}).items()}
    rows = [
        [
            metric_name(name) + (" ↓" if name in LOWER_IS_BETTER else ""),
            *(figure_text(one.get(name)) for one in columns.values()),
        ]
        for name in evaluation["metrics"]
    ]
    yield _markdown_table([t("metric"), *columns], rows)
    if "rows" in evaluation:
        yield t(
            "Measured once on the {rows} texts of the {split} split. In brackets: 95 % bootstrap intervals "
            "({resamples} resamples, seed {seed}). ↓: lower is better.",
            rows=f"{evaluation['rows']:,}",
            split=evaluation["split"],
            resamples=f"{evaluation['settings']['resamples']:,}",
            seed=evaluation["settings"]["seed"],
        )


def _origin(info: dict[str, Any], evaluation: dict[str, Any]) -> str:
    config = info["config"]
    rows = [
        [t("run"), info["run"]],
        [t("data"), _data_name(config)],
        [t("data hash"), f"`{info['data_hash']}`"],
        [t("pretrained model"), f"`{config['model']['source']}`"],
        [t("method"), config["method"]["type"]],
        [t("fastest form"), info["engine"]],
    ]
    if instruction := config["task"].get("instruction"):
        rows.append([t("instruction of the system"), instruction])
    scripts = evaluation.get("scripts")
    if scripts:
        rows.append([t("writing"), ", ".join(f"{script_name(name)} {share:.0%}" for name, share in scripts.items())])
    return _markdown_table([t("origin"), ""], rows)


def _limits(info: dict[str, Any], evaluation: dict[str, Any]) -> str:
    stated = info["config"]["release"]["limits"] or t("The maker has stated no limits of use.")
    found = list(limits(evaluation)) if "rows" in evaluation else []
    if count := info.get("training_texts"):
        found += [t("examples.json holds {count} training texts: whoever has the release can read them.", count=count)]
    return "\n".join([stated, *([""] if found else []), *(f"- {_inline(limit)}" for limit in found)])


def _data_name(config: dict[str, Any]) -> str:
    """The name of the data without the folders of the machine it was made on."""
    return PurePath(config["data"]["source"]).name


def _markdown_table(headers: list[str], rows: list[list[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(map(_inline, line)) + " |" for line in lines)


def _inline(text: str) -> str:
    """Text that stays within its cell."""
    return " ".join(str(text).split()).replace("|", "\\|")
