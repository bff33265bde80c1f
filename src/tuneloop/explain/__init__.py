"""Why a model answers as it does: one file per explainer. An explainer sees a model only as a handle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuneloop.core.registry import Registry

if TYPE_CHECKING:
    from tuneloop.explain.base import Explainer

EXPLAINERS: Registry[type[Explainer]] = Registry(
    "explainer",
    "tuneloop.explainers",
    {
        "shapley": "tuneloop.explain.shapley:Shapley",
        "occlusion": "tuneloop.explain.occlusion:Occlusion",
        "integrated_gradients": "tuneloop.explain.integrated_gradients:IntegratedGradients",
        "gradient_x_input": "tuneloop.explain.gradient_x_input:GradientXInput",
        "attention_rollout": "tuneloop.explain.attention_rollout:AttentionRollout",
        "random": "tuneloop.explain.random_values:RandomValues",
    },
)


def create_explainer(name: str, options: Mapping[str, Any] | None = None) -> Explainer:
    """The explainer with its options.

    Raises:
        ConfigError: if there is no such explainer, or it has no such option.
    """
    from tuneloop.core.config import parse_options

    kind = EXPLAINERS.get(name)
    return kind(parse_options(kind.Options, options or {}, where=f"explainer {name}"))
