"""The tables and the curves of `docs/active-learning.md`, from `benchmarks/quality/active.json`.

python -m benchmarks.active_page
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import QUALITY
from tuneloop.core.fsio import write_text

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- measured: written by python -m benchmarks.active -->", "<!-- end of measured -->"
PICTURE = "active-learning.svg"

WORDS = {
    "en": {
        "page": "active-learning.md",
        "head": "| strategy | needed, dev | needed, test | macro-F1 at 1,000, test | less {target} random |",
        "never": "more than 1,000",
        "random": "{target} random labels: macro-F1 {f1} on test, {dev} on dev.",
        "heads": "| model | {target} random | {ours}: needed | at 1,000 | small-text {peer}: needed | at 1,000 |",
        "picture": "Macro-F1 on test by number of labels",
        "cold": "| first labels | by `cluster` | random |",
        "forecast": (
            "Forecasts from 500 random labels of what 500 more bring, {count} draws: the interval held the score that "
            "came in {score:.0%} and the gain in {gain:.0%}; the gain was {came:.3f} on average, {said:.3f} by the "
            "curve, and its interval {width:.3f} wide."
        ),
    },
    "zh": {
        "page": "active-learning.zh-CN.md",
        "head": "| 策略 | 所需数，dev | 所需数，test | 1,000 个时的 macro-F1，test | 减去 {target} 个随机标签 |",
        "never": "超过 1,000",
        "random": "{target} 个随机标签：test 上 macro-F1 为 {f1}，dev 上为 {dev}。",
        "heads": "| 模型 | {target} 个随机标签 | {ours}：所需数 | 1,000 个时 | small-text {peer}：所需数 | 同前 |",
        "picture": "test 上的 macro-F1 与标签数",
        "cold": "| 最初的标签数 | 用 `cluster` | 随机 |",
        "forecast": (
            "从 500 个随机标签预测再加 500 个会带来什么，共 {count} 次抽取：区间包含实际分数的占 {score:.0%}，"
            "包含实际提升的占 {gain:.0%}；实际提升平均为 {came:.3f}，按曲线为 {said:.3f}，其区间宽 {width:.3f}。"
        ),
    },
}


def write(found: dict[str, Any]) -> None:
    """Put what was measured into both pages, and draw the curves."""
    draw(found, DOCS / "images" / PICTURE)
    for words in WORDS.values():
        path = DOCS / words["page"]
        text = path.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        write_text(path, f"{before}{BEGIN}\n\n{measured(found, words)}\n\n{END}{after}")


def measured(found: dict[str, Any], words: dict[str, str]) -> str:
    """The tables, in one language."""
    chosen, target = found["chosen_on_dev"], f"{found['curves']['random']['labels'][-1]:,}"
    goal = found["random_at_target"]
    rows = [
        _row(f"`{name}`" if side == "ours" else f"{name} (small-text)", each, bold=name == chosen[side], words=words)
        for side, group in found["strategies"].items()
        for name, each in sorted(group.items(), key=lambda item: -item[1]["dev_at_end"]["mean"])
    ]
    heads = [
        f"| {name} | {_figure(each['random']['test'])} | {_labels(each['ours']['needed_test'], words)} | "
        f"{_figure(each['ours']['test_at_end'])} | {_labels(each['peer']['needed_test'], words)} | "
        f"{_figure(each['peer']['test_at_end'])} |"
        for name, each in found["heads"].items()
    ]
    return "\n".join(
        [
            words["random"].format(target=target, f1=_figure(goal["test"]), dev=_figure(goal["dev"])),
            "",
            words["head"].format(target=target),
            "|---|---|---|---|---|",
            *rows,
            "",
            f"![{words['picture']}](images/{PICTURE})",
            "",
            words["heads"].format(target=target, ours=f"`{chosen['ours']}`", peer=chosen["peer"]),
            "|---|---|---|---|---|---|",
            *heads,
            "",
            words["cold"],
            "|---|---|---|",
            *_cold(found["cold_start"]),
            "",
            _forecast(found["forecast"], words),
        ]
    )


def _cold(found: dict[str, Any]) -> list[str]:
    counts = sorted({int(name.split()[1]) for name in found})
    return [f"| {n} | {_figure(found[f'cluster {n}'])} | {_figure(found[f'random {n}'])} |" for n in counts]


def _forecast(found: dict[str, Any], words: dict[str, str]) -> str:
    return words["forecast"].format(
        count=found["count"],
        score=found["score_held"],
        gain=found["gain_held"],
        came=found["mean_gain"],
        said=found["mean_gain_forecast"],
        width=found["mean_width"],
    )


def _row(name: str, each: dict[str, Any], *, bold: bool, words: dict[str, str]) -> str:
    less = each["test_less_random"]
    cells = [
        f"**{name}**" if bold else name,
        _labels(each["needed_dev"], words),
        _labels(each["needed_test"], words),
        _figure(each["test_at_end"]),
        f"{less['mean']:+.3f} ({less['low']:+.3f} to {less['high']:+.3f})",
    ]
    return f"| {' | '.join(cells)} |"


def _labels(count: int | None, words: dict[str, str]) -> str:
    return words["never"] if count is None else f"{count:,}"


def _figure(each: dict[str, float]) -> str:
    return f"{each['mean']:.3f} ({each['low']:.3f} to {each['high']:.3f})"


def draw(found: dict[str, Any], path: Path) -> None:
    """Means over seeds with their intervals, as one SVG that is the same for the same figures."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    from benchmarks.active import with_interval

    matplotlib.rcParams["svg.hashsalt"] = "active"
    chosen, curves = found["chosen_on_dev"], found["curves"]
    lines = [("random", curves["random"])]
    lines += [(chosen["ours"], curves["ours"][chosen["ours"]])]
    lines += [(name, curves["ours"][name]) for name in ("margin", "badge") if name in curves["ours"]]
    lines += [(f"{chosen['peer']} (small-text)", curves["peer"][chosen["peer"]])]
    figure, axes = plt.subplots(figsize=(7, 4.2))
    for name, each in lines:
        figures = [with_interval(column) for column in np.array(each["test"]).T]
        (line,) = axes.plot(each["labels"], [one["mean"] for one in figures], label=name, linewidth=1.6)
        axes.fill_between(
            each["labels"], [one["low"] for one in figures], [one["high"] for one in figures], alpha=0.12,
            color=line.get_color(), linewidth=0,
        )  # fmt: skip
    axes.axhline(found["random_at_target"]["test"]["mean"], color="#888", linestyle=(0, (4, 3)), linewidth=1)
    axes.set_xlabel("labels")
    axes.set_ylabel("macro-F1, test")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    write(json.loads((QUALITY / "active.json").read_text(encoding="utf-8")))
