"""Markdown of model cards as blocks; nothing in it becomes more than text."""

from __future__ import annotations

import pytest

pytest.importorskip("nicegui")

from tuneloop.studio.markdown import blocks

CARD = """---
license: mit
---

# mood-1

Gives a text `one` class,
in two lines.

```python
# no heading
| no | table |
```

| metric | value |
| --- | ---: |
| a \\| b | <b>1</b> |

- one **limit**
* another

## End"""


def test_a_card_falls_into_its_blocks() -> None:
    found = blocks(CARD)
    assert [block.kind for block in found] == ["front", "heading", "text", "code", "table", "list", "heading"]
    assert [block.level for block in found if block.kind == "heading"] == [1, 2]
    assert found[3].lines == ("# no heading", "| no | table |")
    assert found[4].cells == [["metric", "value"], ["a | b", "<b>1</b>"]]
    assert len(found[5].lines) == 2


@pytest.mark.parametrize("text", ["", "---", "```", "```\nopen", "|", "| --- |", "#", "-", "\n\n"])
def test_what_is_no_whole_block_does_no_harm(text: str) -> None:
    for block in blocks(text):
        assert block.kind in ("text", "code", "table") and block.cells is not None
