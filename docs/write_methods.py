"""Write docs/methods.md and docs/methods.zh-CN.md from the code: `make docs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.api import list_methods
from tuneloop.cli.methods import default_of
from tuneloop.core.fsio import write_text
from tuneloop.core.i18n import t, use_language

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
        "not for": "不适用于",
        "made": "本页由 `make docs` 生成。",
    },
}


def page(code: str) -> str:
    """The page in one language: the matrix, then each method with its options and refusals."""
    use_language(code)
    try:
        return _page(list_methods(), WORDS[code])
    finally:
        use_language(None)


def _page(methods: list[dict[str, Any]], words: dict[str, str]) -> str:
    tasks = list(methods[0]["tasks"])
    matrix = [
        f"| {t('method')} | {' | '.join(f'`{task}`' for task in tasks)} |",
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
        rows = [f"| `{each['name']}` | {_default(each)} | {each['description']} |" for each in method["options"]]
        parts.append("\n".join([f"| {t('option')} | {t('default')} | {t('what it says')} |", "|---|---|---|", *rows]))
    refused: dict[str, list[str]] = {}
    for task, why in method["tasks"].items():
        if why:
            refused.setdefault(why.replace(task, "{}"), []).append(f"`{task}`")
    parts += [f"{words['not for']} {', '.join(each)}: {why.replace('{}', '...')}" for why, each in refused.items()]
    return "\n\n".join(parts)


def _default(option: dict[str, Any]) -> str:
    shown = default_of(option)
    return shown if option["needed"] else "`" + shown.replace("|", "\\|") + "`"


def main() -> None:
    """Write both pages."""
    for code, name in PAGES.items():
        write_text(FOLDER / name, page(code))


if __name__ == "__main__":
    main()
