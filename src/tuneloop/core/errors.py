"""One family of errors: each says what is wrong and where, then what to do."""

from __future__ import annotations


class TuneloopError(Exception):
    """A mistake that a person can mend.

    Args:
        problem: what is wrong and where (file, row, field), one sentence.
        hint: what to do about it, one sentence; empty if nothing can be advised.

    The command line prints both without a traceback and ends with `exit_code`.
    """

    exit_code = 2

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.problem}\n{self.hint}" if self.hint else self.problem

    def __reduce__(self) -> tuple[type[TuneloopError], tuple[str, str]]:
        return type(self), (self.problem, self.hint)


class ConfigError(TuneloopError):
    """tuneloop.yaml or an option is wrong."""


class DataError(TuneloopError):
    """A data file cannot be read, or its rows cannot be used."""


class ModelError(TuneloopError):
    """A model cannot be found, loaded or trusted."""


class TrainingError(TuneloopError):
    """Training cannot start, go on or resume."""


class ReleaseError(TuneloopError):
    """A release cannot be written, is damaged, or fails its checks."""


class ServeError(TuneloopError):
    """The server cannot start or cannot take the request."""


class StorageError(TuneloopError):
    """The disk refused: full, read-only, or no permission."""


class MissingExtraError(TuneloopError):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str) -> None:
        from tuneloop.core.i18n import t

        super().__init__(
            t("The package {package} is not installed.", package=package),
            t('Install it with: pip install "tuneloop[{extra}]"', extra=extra),
        )
        self.args = (package, extra)

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.args[0], self.args[1])
