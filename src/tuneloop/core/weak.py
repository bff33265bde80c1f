"""Labels made by functions: the section `weak` of a configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tuneloop.core.options import Options


class WeakConfig(Options):
    """Labelling functions and what becomes of their votes; see `tuneloop weak`."""

    functions: str = Field("", description="A YAML file of labelling functions, beside this file.")
    texts: str = Field(
        "", description="A file of texts without labels, or sample:NAME; the texts of the train split by default."
    )
    model: Literal["dawid_skene", "majority"] = Field(
        "dawid_skene", description="How votes become probabilities: dawid_skene weighs the functions, majority counts."
    )
    priors: Literal["balanced", "estimated", "dev"] | dict[str, float] = Field(
        "balanced", description="How frequent the classes are: balanced, estimated from the votes, dev's, or shares."
    )
    # an unsupervised model may turn what the functions mean around; this many texts say that it is not so
    trust: float = Field(
        100.0, gt=0, description="Texts on which functions count as right before any vote is looked at."
    )
    near_duplicate: float = Field(
        0.9, gt=0, le=1, description="Share of equal votes from which two functions are named as near-duplicates."
    )
