"""The part of the Python door that asks what a model may do wrong."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api.releasing import found
from tuneloop.core.project import Config, open_project

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.explain.base import Explanation
    from tuneloop.releases.read import Release
    from tuneloop.training.run import Run


def audit(
    target: Run | Release | str = "latest",
    *,
    only: tuple[str, ...] = (),
    rows: int | None = None,
    config: Config | None = None,
    workspace: Path | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """What may be wrong with a run or release beyond its figures, and whether it passes its gate.

    Args:
        target: a run or release, or the name of one; "latest" is the newest run.
        only: the audits to run, and no others; limits and forbidden findings of others do not count then, and what is
            found stands in audit-only.json, beside the audit.json of a whole audit.
        rows: test rows that an audit looks at, at most.
        config: whose section `audit` holds; the one that the target was made with by default.
        workspace: where names are looked up.

    Returns:
        The content of audit.json, with the path of the page as `report`.

    Raises:
        ConfigError: if there is no such audit, option, figure or finding.
    """
    from tuneloop.audits import AUDITS
    from tuneloop.releases.auditing import audit as run_audit
    from tuneloop.releases.auditing import settings_of

    subject, place = found(target, workspace)
    settings = open_project(config).config.audit if config is not None else settings_of(subject)
    kinds = {kind for name in only for kind in AUDITS.get(name).findings}
    settings = settings.narrowed(only, rows, kinds=kinds)
    return run_audit(subject, workspace=place, config=settings, partial=bool(only), quiet=quiet)


def explain(
    model: Run | Release | str,
    item: Input | Mapping[str, Any],
    *,
    method: str = "shapley",
    target: str | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    workspace: Path | None = None,
) -> Explanation:
    """What each word of a text adds to the answer of a run or release.

    Args:
        model: a run or release, or the name of one.
        item: a text, a (text, pair) tuple for a model that judges pairs, or what a model of several modalities judges:
            a mapping with some of `text`, `image` and `audio` (a path, or bytes) and `tabular`.
        method: one of `tuneloop.explain.EXPLAINERS`; those that look into the model open it with torch.
        target: the class to explain; the most probable one by default.
        options: of the method.
        seed: of random draws.
        workspace: where names are looked up.

    Raises:
        ConfigError: if there is no such method, option or class.
        ModelError: if the method has nothing to say about this model.
        DataError: if there is no word in the text, or no pair where one is needed.
        MissingExtraError: if the method needs a package that is not installed.
    """
    from tuneloop.core.fusion import read_by
    from tuneloop.explain import create_explainer
    from tuneloop.inference.inside import ENGINE
    from tuneloop.inference.predictor import open_predictor
    from tuneloop.media.rows import input_of
    from tuneloop.releases.read import Release

    explainer = create_explainer(method, options)
    subject, _ = found(model, workspace)
    if isinstance(subject, Release):
        predictor = subject.predictor(ENGINE if explainer.inside else None)
    else:
        predictor = open_predictor(subject.model_path, engine=ENGINE)
    with closing(predictor):
        given = input_of(item, read_by(predictor))
        return explainer.explain(predictor, given, label=target, seed=seed)
