"""Write the pages of methods, and the options on the pages of tasks, from the code: `make docs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.api import list_methods
from tuneloop.cli.methods import default_of
from tuneloop.core.fsio import write_text
from tuneloop.core.i18n import t, use_language
from tuneloop.methods.catalogue import options_of
from tuneloop.tasks import TASKS

FOLDER = Path(__file__).parent
PAGES = {"en": "methods.md", "zh": "methods.zh-CN.md"}
TASK_PAGES = {"en": "tasks.md", "zh": "tasks.zh-CN.md"}
OPTIONS_BEGIN, OPTIONS_END = "<!-- options: written by make docs -->", "<!-- end of options -->"

WORDS = {
    "en": {
        "title": "# Methods and the tasks they go with",
        "other": "[中文](methods.zh-CN.md)",
        "intro": (
            "`method: NAME` in tuneloop.yaml, or `method: {type: NAME, OPTION: VALUE}`. `tuneloop methods NAME` prints "
            "what stands here; `auto` chooses and says why. Another method replaces the whole block: the options of "
            "one are errors in another.\n\n"
            "✓: a small real training of this pair beats the weakest baseline in `tests/contracts/test_methods.py`. "
            "–: it makes no sense, and the refusal says why. `zero_shot` is shown as it is by default, judging by "
            "similarity; with `by: prompt` it also takes `pair`, with `by: entailment` also `multilabel`."
        ),
        "not for": "Not for",
        "made": "This page is written by `make docs`.",
    },
    "zh": {
        "title": "# 方法与适用的任务",
        "other": "[English](methods.md)",
        "intro": (
            "在 tuneloop.yaml 中写 `method: 名称`，或 `method: {type: 名称, 选项: 值}`。`tuneloop methods 名称` 会打印"
            "这里的内容；`auto` 自动选择并说明理由。换方法时请替换整个块：一种方法的选项对另一种是错误。\n\n"
            "✓：`tests/contracts/test_methods.py` 用一次小规模的真实训练验证该组合胜过最弱的基线。"
            "–：该组合没有意义，拒绝时会说明原因。表中的 `zero_shot` 是默认的按相似度判断；"
            "`by: prompt` 还可用于 `pair`，`by: entailment` 还可用于 `multilabel`。"
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
        parts.append(_options(method["options"]))
    refused: dict[str, list[str]] = {}
    for task, why in method["tasks"].items():
        if why:
            refused.setdefault(why.replace(task, "{}"), []).append(f"`{task}`")
    parts += [f"{words['not for']} {', '.join(each)}: {why.replace('{}', '...')}" for why, each in refused.items()]
    return "\n\n".join(parts)


def _options(options: list[dict[str, Any]]) -> str:
    rows = [f"| `{each['name']}` | {_default(each)} | {each['description']} |" for each in options]
    return "\n".join([f"| {t('option')} | {t('default')} | {t('what it says')} |", "|---|---|---|", *rows])


def task_page(code: str) -> str:
    """The page of the tasks as it stands, with the options of each between the marks."""
    kept = (FOLDER / TASK_PAGES[code]).read_text(encoding="utf-8")
    before, _, rest = kept.partition(OPTIONS_BEGIN)
    _, _, after = rest.partition(OPTIONS_END)
    use_language(code)
    try:
        parts = [f"### {name}\n\n{_options(options_of(TASKS.get(name).Options))}" for name in TASKS.names()]
    finally:
        use_language(None)
    return "\n\n".join([before + OPTIONS_BEGIN, *parts, OPTIONS_END]) + after


def _default(option: dict[str, Any]) -> str:
    shown = default_of(option)
    return shown if option["needed"] else "`" + shown.replace("|", "\\|") + "`"


def main() -> None:
    """Write all pages."""
    for code, name in PAGES.items():
        write_text(FOLDER / name, page(code))
    for code, name in TASK_PAGES.items():
        write_text(FOLDER / name, task_page(code))


if __name__ == "__main__":
    main()
