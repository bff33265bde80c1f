"""`tuneloop knowledge`."""

from __future__ import annotations

import typer

from tuneloop.cli import knowledge_rules
from tuneloop.core.i18n import t

app = typer.Typer(help=t("Documents, graphs, lexicons and rules that answers rest on."), no_args_is_help=True)
knowledge_rules.register(app)
