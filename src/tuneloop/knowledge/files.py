"""Where a file of knowledge lies: a path, or a file inside an installed package, with the licence it comes under."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata, packages_distributions
from importlib.util import find_spec
from pathlib import Path

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t

PACKAGE_PREFIX = "pkg:"


def find_file(source: str, *, base: Path) -> Path:
    """The file that `source` names.

    Args:
        source: a path, or `pkg:PACKAGE/FILE` for a file inside an installed package.
        base: the folder that a relative path starts from.

    Raises:
        DataError: if there is no such file or package.
    """
    if not source.startswith(PACKAGE_PREFIX):
        path = base / Path(source).expanduser()
        if not path.is_file():
            raise DataError(
                t("There is no file {path}.", path=path), t("Check the section knowledge in tuneloop.yaml.")
            )
        return path
    package, _, inner = source.removeprefix(PACKAGE_PREFIX).partition("/")
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            t("The package {package} is not installed.", package=package),
            t("Install it with: pip install {name}", name=package.replace("_", "-")),
        )
    root = Path(next(iter(spec.submodule_search_locations))).resolve()
    path = (root / inner).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        raise DataError(
            t("The package {package} has no file {inner!r}.", package=package, inner=inner),
            t("Give a file inside the package, such as pkg:vaderSentiment/vader_lexicon.txt."),
        )
    return path


def licence_of(source: str) -> str:
    """The licence that the package of a `pkg:` source names; empty for a file of your own."""
    if not source.startswith(PACKAGE_PREFIX):
        return ""
    package = source.removeprefix(PACKAGE_PREFIX).partition("/")[0]
    try:
        about = metadata(next(iter(packages_distributions().get(package, [package]))))
    except PackageNotFoundError:
        return ""
    said = (about[key] for key in ("License-Expression", "License") if key in about)
    return next(said, "").split("\n")[0]
