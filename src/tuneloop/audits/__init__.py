"""What may be wrong with a model beyond its figures: one file per audit. An audit sees a model only as a handle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.core.registry import Registry

if TYPE_CHECKING:
    from tuneloop.audits.base import Audit

AUDITS: Registry[type[Audit]] = Registry(
    "audit",
    "tuneloop.audits",
    {
        "data": "tuneloop.audits.data:Data",
        "robustness": "tuneloop.audits.robustness:Robustness",
        "ood": "tuneloop.audits.ood:OutOfDistribution",
        "conformal": "tuneloop.audits.conformal:Conformal",
        "fairness": "tuneloop.audits.fairness:Fairness",
        "modalities": "tuneloop.audits.modalities:Modalities",
        "forgetting": "tuneloop.audits.forgetting:Forgetting",
        "explanations": "tuneloop.audits.explanations:Explanations",
        "privacy": "tuneloop.audits.privacy:Privacy",
        "safety": "tuneloop.audits.safety:Safety",
        "injection": "tuneloop.audits.injection:Injection",
        "cost": "tuneloop.audits.cost:Cost",
    },
)
