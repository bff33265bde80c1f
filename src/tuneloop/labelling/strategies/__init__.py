"""Which texts teach most: one file for each strategy, deterministic for a seed; they see a pool, never a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.core.registry import Registry

if TYPE_CHECKING:
    from tuneloop.labelling.strategies.base import Strategy

PLACE = "tuneloop.labelling.strategies"
STRATEGIES: Registry[type[Strategy]] = Registry(
    "strategy",
    PLACE,
    {
        "uncertainty": f"{PLACE}.uncertainty:Uncertainty",
        "entropy": f"{PLACE}.entropy:Entropy",
        "margin": f"{PLACE}.margin:Margin",
        "bald": f"{PLACE}.bald:Bald",
        "coreset": f"{PLACE}.coreset:Coreset",
        "badge": f"{PLACE}.badge:Badge",
        "cal": f"{PLACE}.cal:Contrastive",
        "discriminative": f"{PLACE}.discriminative:Discriminative",
        "cluster": f"{PLACE}.cluster:Cluster",
        "random": f"{PLACE}.random:Random",
    },
)
