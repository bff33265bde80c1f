"""What lies in a release: its card, the pages that were made of it, its forms with their proof, its files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from nicegui import ui

from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import t
from tuneloop.releases.calibration import told
from tuneloop.releases.manifest import Checked, checked
from tuneloop.releases.read import Release
from tuneloop.studio import markdown
from tuneloop.studio.later import later
from tuneloop.studio.reports import report_path
from tuneloop.studio.tables import table
from tuneloop.studio.view import View, heading, nothing, problem
from tuneloop.studio.view import report as boxed


def card(view: View, release: Release) -> None:
    """README.md, as people read it on Hugging Face."""
    try:
        text = (release.path / "README.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        nothing(t("This release has no model card."))
        return
    with ui.element("article").classes("prose"):
        markdown.show(text)
    with ui.expansion(t("README.md as it stands")).classes("same"):
        ui.label(text).classes("output").props("tabindex=0")


def report(view: View, release: Release) -> None:
    """The page of its evaluation."""
    framed(view, "release", release.id, t("Report of {name}", name=release.id), t("No report travels with it."))


def audit(view: View, release: Release) -> None:
    """The page of its newest audit, else of the one that it passed."""
    title = t("Audit of {name}", name=release.id)
    kind = "audit" if _there(view, "audit", release.id) else "release-audit"
    framed(view, kind, release.id, title, t("It was not audited yet."))
    arguments = view.studio.arguments("audit", release.id)
    ui.button(t("Audit it"), icon="fact_check", on_click=view.act(lambda: begin(view, arguments))).mark("audit")
    view.same(arguments, f"tl.audit({release.id!r}{view.studio.place})")


def begin(view: View, arguments: list[str]) -> None:
    """Start a job and go to its page, where its output is."""
    ui.navigate.to(f"/jobs/{view.start(arguments).id}")


def framed(view: View, kind: str, name: str, title: str, missing: str) -> None:
    """A page that a command wrote, in a box of its own; `missing` where there is none."""
    if not _there(view, kind, name):
        nothing(missing)
        return
    boxed(title, f"/report/{kind}/{name}")
    ui.link(t("Alone in a tab"), f"/report/{kind}/{name}", new_tab=True)


def _there(view: View, kind: str, name: str) -> bool:
    with suppress(TuneloopError):
        report_path(kind, name, view.studio.workspace)
        return True
    return False


def gate(view: View, release: Release) -> None:
    """What it had to pass: the gate of its audit, and the decision of the update that it came from."""
    from tuneloop.loop.origin import decision_of

    heading(t("Gate of the audit"))
    _rules(view, release)
    heading(t("Decision of the update"))
    found = decision_of(release.id, view.studio.workspace)
    if found is None:
        ui.label(t("It was made of a run, not by an update, so no update has decided about it."))
        return
    ui.label(t("Verdict: {verdict}", verdict=found[1].get("verdict", "")))
    framed(view, "update", found[0], t("Decision of {name}", name=found[0]), t("The page of the decision is gone."))


def _rules(view: View, release: Release) -> None:
    from tuneloop.audits.gate import sentence
    from tuneloop.releases.auditing import newest_audit

    found = newest_audit(release, view.studio.workspace)
    if found is None or not found["gate"]["required"]:
        ui.label(t("No gate was asked for: the section audit of its configuration has no limits."))
        return
    passed = found["gate"]["passed"]
    words = t("The release passes its gate.") if passed else t("The release does not pass its gate.")
    ui.label(words).classes("card " + ("good" if passed else "bad"))
    rows = [[t("passed") if rule["passed"] else t("failed"), sentence(rule)] for rule in found["gate"]["rules"]]
    table(["", t("rule")], rows, name=t("Gate of the audit"))


def forms(view: View, release: Release) -> None:
    """How each engine answers against the evaluated model, and what the server answered."""
    keys = ("max_difference", "agreement", "loss", "batch_effect")
    rows = []
    for name, form in release.info["forms"].items():
        verdict = t("default") if name == release.engine else t("accepted") if form["accepted"] else t("refused")
        speed = f"{form['texts_per_s']:.0f}" if "texts_per_s" in form else ""
        rows.append([name, verdict, speed, *map(_figure(form), keys), str(form.get("error", ""))])
    headers = [t("form"), "", t("texts/s"), t("largest difference"), t("agreement"), t("loss"), t("neighbours")]
    table([*headers, t("problem")], rows, name=t("Forms"), numbers=range(2, 7))
    ui.label(t("Every form answered the dev rows and was held to the evaluated model; loss is of the main figure."))
    for sentence in told(release.info["forms"]):
        ui.label(sentence)
    served = release.info.get("served")
    if served:
        heading(t("Proof over HTTP"))
        rows = [[served["engine"], *map(_figure(served), keys[:3])]]
        table([t("engine"), t("largest difference"), t("agreement"), t("loss")], rows, numbers=range(1, 4))
        ui.label(t("A real server answered the dev rows before the release was made.")).classes("muted")


def _figure(form: Mapping[str, Any]) -> Any:
    return lambda key: f"{form[key]:.4f}" if form.get(key) is not None else ""


def files(view: View, release: Release) -> None:
    """Every file with its size; whether each is still the one that was released is looked at when asked."""
    shown = ui.element("div").props("role=status").mark("checked")

    def show(*, hashes: bool) -> None:
        shown.clear()
        with shown:
            later(view, lambda: list(checked(release.path, hashes=hashes)), lambda found: _files(found, hashes=hashes))

    ui.button(t("Check every hash"), icon="verified", on_click=view.act(lambda: show(hashes=True))).mark("check")
    view.same(
        view.studio.arguments("releases", "show", release.id),
        f"tl.load({release.id!r}{view.studio.place})  # every file is checked",
    )
    show(hashes=False)


def _files(found: list[Checked], *, hashes: bool) -> None:
    states = {"changed": t("changed"), "missing": t("missing"), "unknown": t("not recorded")}
    states["same"] = t("as released") if hashes else t("size as released")
    wrong = [file for file in found if file.state != "same"]
    if wrong:
        problem(
            TuneloopError(
                t("{count} files are not those that were released.", count=len(wrong)),
                t("Restore the folder from a copy, or make the release again from its run."),
            )
        )
    elif hashes:
        ui.label(t("All {count} files are those that were released.", count=len(found))).classes("card good")
    rows = [[file.name, f"{file.bytes:,}", states[file.state], file.sha256[:16]] for file in found]
    table([t("file"), t("bytes"), "", t("SHA-256 begins")], rows, name=t("Files"), numbers=[1])
    ui.label(t("{count} files, {size:,} bytes", count=len(found), size=sum(file.bytes for file in found)))
