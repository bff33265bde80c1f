"""Methods x seeds x label budgets: one table, one page, one recommendation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.core.config import RunConfig
from tuneloop.core.errors import TrainingError
from tuneloop.core.fsio import write_json, write_text
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.data.snapshot_folder import Snapshot
from tuneloop.experiments.jobs import candidates, plan_jobs, run_jobs
from tuneloop.experiments.judge import judge, recommend

COMPARISON, REPORT = "comparison.json", "report.html"


def compare(
    config: RunConfig, *, snapshot: Snapshot, workspace: Workspace, base: Path, quiet: bool = False
) -> dict[str, Any]:
    """Run what the comparison section asks for and has no result yet, and judge it.

    Returns:
        What comparison.json holds, with the path of the page as `report`.

    Raises:
        ConfigError: if a method does not exist or has no such option.
        TrainingError: if no method could be run.
        InterruptedTrainingError: after Ctrl-C; the same call goes on where it stopped.
    """
    from tuneloop.experiments.page import comparison_html
    from tuneloop.tasks import create_task

    chosen, refused = candidates(config, snapshot.labels)
    jobs = plan_jobs(config, chosen, snapshot.hash, workspace=workspace, base=base)
    finished, failed = run_jobs(jobs, workspace=workspace, base=base, quiet=quiet)
    if not finished:
        raise TrainingError(
            t("No run of the comparison succeeded: {reason}", reason=next(iter(failed.values()))),
            t("Mend that, then run the same command."),
        )
    task = create_task(config.task, {"labels": list(snapshot.labels)})
    labels = snapshot.split(config.comparison.split).labels
    budgets = judge(finished, task, labels)
    found: dict[str, Any] = {
        "name": config.name,
        "metric": task.primary_metric,
        "classes": bool(snapshot.labels),
        "writes": task.generates,
        "split": config.comparison.split,
        "rows": len(labels),
        "snapshot_hash": snapshot.hash,
        "seeds": sorted({job.config.seed for job in jobs}),
        "budgets": budgets,
        "recommendations": {str(each["budget"]): recommend(each["methods"]) for each in budgets},
        "refused": refused,
        "failed": failed,
        "machine": next((each.result["machine"] for each in finished if "machine" in each.result), {}),
    }
    folder = workspace.comparisons / f"{config.name}-{hash_json(sorted(job.key for job in jobs))[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / REPORT, comparison_html(found))
    write_json(folder / COMPARISON, found)
    return found | {"report": str(folder / REPORT)}
