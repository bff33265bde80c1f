"""What is known beside the training data: the section `knowledge` of a configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tuneloop.core.options import Options


class KnowledgeConfig(Options):
    """Lexicons, rules, a graph and documents of a model; copied into its folder and its releases."""

    lexicons: tuple[str, ...] = Field(
        (), description="Files of terms and categories, or pkg:PACKAGE/FILE; rules and context look terms up in them."
    )
    rules: str | None = Field(None, description="A YAML file of rules that every answer keeps to.")
    graph: str | None = Field(None, description="A file of facts: .csv, .tsv, .nt or .kg.")
    names: tuple[str, ...] = Field((), description="Files of entity and name for the graph.")
    documents: str | None = Field(
        None,
        description="An index of tuneloop knowledge add, from which releases answer questions: its name or folder.",
    )
    context: tuple[Literal["lexicon", "facts"], ...] = Field(
        (), description="What is written behind each text before the model reads it: categories of terms, facts."
    )
    facts: int = Field(3, ge=1, description="Facts behind each text at most.")

    @property
    def used(self) -> bool:
        """Whether there is any knowledge at all."""
        return bool(self.lexicons or self.rules or self.graph or self.documents)
