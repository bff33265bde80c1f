"""Write docs/methods.md and docs/methods.zh-CN.md from the code: `make docs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tuneloop.api import list_methods
from tuneloop.core.fsio import write_text
from tuneloop.core.i18n import use_language

FOLDER = Path(__file__).parent
PAGES = {"en": "methods.md", "zh": "methods.zh-CN.md"}

WORDS = {
    "en": {
        "title": "# Methods and the tasks they go with",
        "other": "[中文](methods.zh-CN.md)",
        "intro": (
            "`method: NAME` in tuneloop.yaml, or `method: {type: NAME, OPTION: VALUE}`. `tuneloop methods NAME` prints "
            "what stands here; `auto` chooses and says why.\n\n"
            "✓: a small real training of this pair beats the weakest baseline in `tests/contracts/test_methods.py`. "
            "–: it makes no sense, and the refusal says why. `zero_shot` judges single texts by similarity; with "
            "`by: prompt` it also takes pairs, with `by: entailment` several classes too."
        ),
        "method": "method",
        "options": "| option | default | what it says |",
        "needed": "needed",
        "not for": "Not for",
        "made": "This page is written by `make docs`.",
    },
    "zh": {
        "title": "# 方法与适用的任务",
        "other": "[English](methods.md)",
        "intro": (
            "在 tuneloop.yaml 中写 `method: 名称`，或 `method: {type: 名称, 选项: 值}`。`tuneloop methods 名称` 会打印"
            "这里的内容；`auto` 自动选择并说明理由。\n\n"
            "✓：`tests/contracts/test_methods.py` 用一次小规模的真实训练验证该组合胜过最弱的基线。"
            "–：该组合没有意义，拒绝时会说明原因。`zero_shot` 默认按相似度判断单条文本；`by: prompt` 还可用于文本对，"
            "`by: entailment` 还可用于多标签。"
        ),
        "method": "方法",
        "options": "| 选项 | 默认值 | 含义 |",
        "needed": "必填",
        "not for": "不适用于",
        "made": "本页由 `make docs` 生成。",
    },
}


def page(code: str) -> str:
    """The page in one language: the matrix, then each method with its options and refusals."""
    use_language(code)
    try:
        methods = list_methods()
    finally:
        use_language(None)
    words, tasks = WORDS[code], list(methods[0]["tasks"])
    matrix = [
        f"| {words['method']} | {' | '.join(f'`{task}`' for task in tasks)} |",
        "|---|" + ":-:|" * len(tasks),
        *(f"| [`{each['name']}`](#{each['name']}) | {_marks(each, tasks)} |" for each in methods),
    ]
    parts = [
        words["title"],
        words["other"],
        words["intro"],
        "\n".join(matrix),
        *(_section(each, words) for each in methods),
    ]
    return "\n\n".join([*parts, words["made"]]) + "\n"


def _marks(method: dict[str, Any], tasks: list[str]) -> str:
    return " | ".join("–" if method["tasks"][task] else "✓" for task in tasks)


def _section(method: dict[str, Any], words: dict[str, str]) -> str:
    parts = [f"## {method['name']}", method["summary"]]
    if method["options"]:
        rows = [f"| `{each['name']}` | {_default(each, words)} | {each['description']} |" for each in method["options"]]
        parts.append("\n".join([words["options"], "|---|---|---|", *rows]))
    refused: dict[str, list[str]] = {}
    for task, why in method["tasks"].items():
        if why:
            refused.setdefault(why.replace(task, "{}"), []).append(f"`{task}`")
    parts += [f"{words['not for']} {', '.join(each)}: {why.replace('{}', '...')}" for why, each in refused.items()]
    return "\n\n".join(parts)


def _default(option: dict[str, Any], words: dict[str, str]) -> str:
    value = json.dumps(option["default"], ensure_ascii=False).replace("|", "\\|")
    return words["needed"] if option["needed"] else f"`{value}`"


def main() -> None:
    """Write both pages."""
    for code, name in PAGES.items():
        write_text(FOLDER / name, page(code))


if __name__ == "__main__":
    main()
