"""A prompt as a page shows it: who said what."""

from __future__ import annotations

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import turn
from tuneloop.data.conversation import to_messages


def turns(text: str) -> Markup:
    """The messages of a prompt one below the other, each behind its role; what one user says stands alone."""
    messages = to_messages(text)
    if len(messages) == 1 and messages[0].role == "user":
        return Markup("{}").format(messages[0].content)
    names = {"system": t("system"), "user": t("user"), "assistant": t("assistant")}
    return Markup("").join(turn(names[message.role], message.content) for message in messages)
