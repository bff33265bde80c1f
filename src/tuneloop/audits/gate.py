"""Whether a release may go out: figures beyond their limits, and findings that are forbidden."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tuneloop.core.deployment import AuditConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.audits.base import Audit


def check_gate(config: AuditConfig, kinds: Mapping[str, type[Audit]]) -> None:
    """Refuse limits and findings that no audit of this configuration could ever meet.

    Raises:
        ConfigError: naming what there is.
    """
    figures = {f"{name}.{figure}" for name, kind in kinds.items() for figure in kind.figures}
    for wanted in config.limits:
        name, _, figure = wanted.partition(".")
        if name not in kinds or kinds[name].better(figure) is None or not kinds[name].knows(figure):
            raise _unknown("audit.limits", wanted, figures)
    findings = {finding for kind in kinds.values() for finding in kind.findings}
    for wanted in config.forbid:
        if wanted not in findings:
            raise _unknown("audit.forbid", wanted, findings)


def verdict(config: AuditConfig, audits: Mapping[str, Any]) -> dict[str, Any]:
    """Each rule of the gate with what was found; the gate passes if all of them do.

    A figure that could not be measured fails its limit: what was asked for has not been shown. `sure` says whether
    the whole interval lies on one side of the limit.
    """
    rules = [_limit(name, limit, audits) for name, limit in config.limits.items()]
    rules += [_forbidden(kind, audits) for kind in config.forbid]
    return {"required": config.required, "passed": all(rule["passed"] for rule in rules), "rules": rules}


def failed(found: Mapping[str, Any]) -> list[str]:
    """The rules of the gate that an audit.json does not pass, in words."""
    return [sentence(rule) for rule in found["gate"]["rules"] if not rule["passed"]]


def sentence(rule: Mapping[str, Any]) -> str:
    """A rule of the gate and what came of it, in the language in force."""
    if "kind" in rule:
        if rule["count"] is None:
            return t("{kind}: not looked for.", kind=rule["kind"])
        return t("{kind}: {count} found, none is allowed.", kind=rule["kind"], count=rule["count"])
    if rule["value"] is None:
        return t("{figure}: not measured; the limit is {limit:g}.", figure=rule["figure"], limit=rule["limit"])
    limit = (
        t("at most {limit:g}", limit=rule["limit"])
        if rule["better"] == "lower"
        else t("at least {limit:g}", limit=rule["limit"])
    )
    text = f"{rule['figure']}: {rule['value']:.3f}, {limit}"
    return text if rule["sure"] else text + t(" (the interval holds the limit: more rows would tell)")


def _limit(name: str, limit: float, audits: Mapping[str, Any]) -> dict[str, Any]:
    audit, _, figure = name.partition(".")
    found = audits.get(audit, {}).get("figures", {}).get(figure)
    if found is None or found["value"] is None:
        return {"figure": name, "limit": limit, "value": None, "better": "", "sure": False, "passed": False}
    sign = 1 if found["better"] == "lower" else -1
    passed = sign * found["value"] <= sign * limit
    low, high = found["low"], found["high"]
    sure = low is None or high is None or not low <= limit <= high
    return {
        "figure": name, "limit": limit, "value": found["value"], "better": found["better"], "sure": sure,
        "passed": passed,
    }  # fmt: skip


def _forbidden(kind: str, audits: Mapping[str, Any]) -> dict[str, Any]:
    looked = [each for name, each in audits.items() if kind in _looked_for(name, each)]
    if not looked:
        return {"kind": kind, "count": None, "passed": False}
    count = sum(finding["kind"] == kind for each in looked for finding in each["findings"])
    return {"kind": kind, "count": count, "passed": count == 0}


def _looked_for(name: str, found: Mapping[str, Any]) -> Iterable[str]:
    """The kinds that an audit could have found on this subject: none if it was left out."""
    from tuneloop.audits import AUDITS

    return found.get("looked_for", AUDITS.get(name).findings) if "findings" in found else ()


def _unknown(setting: str, wanted: str, known: Iterable[str]) -> ConfigError:
    names = sorted(known)
    near = difflib.get_close_matches(wanted, names, n=1)
    hint = t("Did you mean {name}?", name=near[0]) + " " if near else ""
    return ConfigError(
        t("{setting}: nothing called {name!r} is measured.", setting=setting, name=wanted),
        hint + t("Choose one of: {known}.", known=", ".join(names)),
    )
