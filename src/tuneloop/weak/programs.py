"""Functions that people write in Python: a file is run only where a configuration names it, and that is said."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from tuneloop.core.errors import ConfigError
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t
from tuneloop.core.progress import note
from tuneloop.weak import MARK
from tuneloop.weak.base import LabellingFunction


class ProgramFunction(LabellingFunction):
    """A function with the mark of `tuneloop.weak.labelling_function`."""

    kind = "python"

    def __init__(self, name: str, place: str, *, function: Callable[[str], str | None]) -> None:
        super().__init__(name, place)
        self.function = function

    def votes(self, texts: Sequence[str]) -> list[str | None]:
        return [self._vote(text) for text in texts]

    def _vote(self, text: str) -> str | None:
        try:
            label = self.function(text)
        except Exception as error:  # of a program that is not ours: told with its place, never passed over
            raise ConfigError(
                t("{place}: function {name} failed with {kind}: {error}", place=self.place, name=self.name,
                  kind=type(error).__name__, error=error),
                t("It failed at this text: {text}", text=text[:80]),
            ) from error  # fmt: skip
        if label is None or isinstance(label, str):
            return label
        raise ConfigError(
            t("{place}: function {name} gives {value!r}.", place=self.place, name=self.name, value=label),
            t("Return the name of a class, or None to abstain."),
        )


def run_program(path: Path, *, place: str) -> dict[str, Callable[[str], str | None]]:
    """The marked functions of a Python file, by name, in its order. The file is run, which is said first.

    Raises:
        ConfigError: if there is no such file, it fails, or marks no function.
    """
    if not path.is_file():
        raise ConfigError(t("{place}: there is no file {path}.", place=place, path=path), t("Correct the path."))
    note(t("Note: {place} runs the program {path}, with all that you may do.", place=place, path=path))
    module = _module(path, place)
    found = {name: value for name, value in vars(module).items() if getattr(value, MARK, False) is True}
    if not found:
        raise ConfigError(
            t("{place}: {path} marks no labelling function.", place=place, path=path.name),
            t("Put @labelling_function of tuneloop.weak before each."),
        )
    return found


def _module(path: Path, place: str) -> ModuleType:
    name = f"tuneloop_functions_{hash_file(path)[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(t("{place}: {path} is no Python file.", place=place, path=path), t("Name it NAME.py."))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses of the file look themselves up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # of a program that is not ours
        raise ConfigError(
            t("{place}: {path} failed with {kind}: {error}", place=place, path=path.name, kind=type(error).__name__,
              error=error),
            t("Run it with python to see where."),
        ) from error  # fmt: skip
    finally:
        sys.modules.pop(name, None)
    return module
