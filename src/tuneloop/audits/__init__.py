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
        "cost": "tuneloop.audits.cost:Cost",
        "explanations": "tuneloop.audits.explanations:Explanations",
    },
)
