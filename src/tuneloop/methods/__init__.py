"""How a model is adapted: one file per method. A method knows nothing of data files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.core.config import MethodConfig, parse_options
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.registry import Registry

if TYPE_CHECKING:
    from tuneloop.methods.base import Baseline, Method

METHODS: Registry[type[Method]] = Registry(
    "method",
    "tuneloop.methods",
    {
        "auto": "tuneloop.methods.auto:Auto",
        "full": "tuneloop.methods.full:FullFineTuning",
        "lora": "tuneloop.methods.lora:Lora",
        "adalora": "tuneloop.methods.adalora:AdaLora",
        "dpo": "tuneloop.methods.dpo:Dpo",
        "adapter": "tuneloop.methods.adapter:BottleneckAdapter",
        "contrastive": "tuneloop.methods.contrastive:Contrastive",
        "ia3": "tuneloop.methods.ia3:Ia3",
        "bitfit": "tuneloop.methods.bitfit:BitFit",
        "prefix": "tuneloop.methods.prefix:PrefixTuning",
        "prompt": "tuneloop.methods.prompt:PromptTuning",
        "pet": "tuneloop.methods.pet:Pet",
        "zero_shot": "tuneloop.methods.zero_shot:ZeroShot",
        "in_context": "tuneloop.methods.in_context:InContext",
        "distill": "tuneloop.methods.distill:Distill",
        "self_training": "tuneloop.methods.self_training:SelfTraining",
        "consistency": "tuneloop.methods.consistency:Consistency",
        "probe": "tuneloop.methods.probe:LinearProbe",
    },
)

BASELINES: Registry[type[Baseline]] = Registry(
    "baseline",
    "tuneloop.baselines",
    {
        "tfidf": "tuneloop.methods.tfidf:Tfidf",
        "majority": "tuneloop.methods.majority:Majority",
        "overlap": "tuneloop.methods.overlap:Overlap",
        "term_match": "tuneloop.methods.term_match:TermMatch",
        "lexicon": "tuneloop.methods.lexicon:Lexicon",
        "nearest": "tuneloop.methods.nearest:Nearest",
    },
)


def create_method(config: MethodConfig) -> Method:
    """The method that a configuration names, with its options.

    Raises:
        ConfigError: if there is no such method, it is only a baseline, or it has no such option.
    """
    if config.type in BASELINES.names():
        raise ConfigError(
            t("{name} is a baseline: it is measured beside every model and cannot be released.", name=config.type),
            t("Choose one of: {known}.", known=", ".join(METHODS.names())),
        )
    kind = METHODS.get(config.type)
    return kind(parse_options(kind.Options, config.options, where=f"method {config.type}"))
