"""Pressing as a person does."""

from __future__ import annotations

from playwright import sync_api


def press(button: sync_api.Locator, brings: sync_api.Locator, *, times: int = 4) -> None:
    """Press a button until what it brings is there, four minutes at most.

    What is pressed while a page connects anew is lost, and a person presses again.
    """
    for left in reversed(range(times)):
        button.click()
        try:
            brings.wait_for(timeout=60_000)
            return
        except sync_api.TimeoutError:
            if not left:
                raise
