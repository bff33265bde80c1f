"""Small files made here, for those who need some and have none."""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import Any

from tuneloop.media.items import compose
from tuneloop.media.store import keep


def sample(text: str, modalities: Collection[str]) -> str:
    """A text as a model of these modalities is given it: with a grey image, a silent sound and a value beside it."""
    if set(modalities) == {"text"}:
        return text
    parts: dict[str, Any] = {"text": text, "tabular": {"": text}}
    parts |= {kind: keep(make(), None) for kind, make in (("image", image), ("audio", sound)) if kind in modalities}
    return compose({name: part for name, part in parts.items() if name in modalities})


def image() -> bytes:
    """A grey PNG of 8 by 8 pixels."""
    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", (8, 8), "grey").save(data, "PNG")
    return data.getvalue()


def sound() -> bytes:
    """A tenth of a second of silence, as WAV."""
    import numpy as np
    import soundfile

    data = io.BytesIO()
    soundfile.write(data, np.zeros(1600, np.float32), 16_000, format="WAV")
    return data.getvalue()
