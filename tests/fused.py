"""Tiny encoders of every kind, and rows for a model of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.media import square, tone, wav, write_tiny_vit, write_tiny_wav2vec2
from tuneloop.core.config import RunConfig, TaskConfig, parse_config
from tuneloop.data.examples import Examples
from tuneloop.media import store
from tuneloop.media.items import compose, without
from tuneloop.models.forward import predict_logits
from tuneloop.models.fused import FusedForSequenceClassification
from tuneloop.models.fusing import fused_source
from tuneloop.models.item_tokenizer import ItemTokenizer, open_item_tokenizer
from tuneloop.models.load import load_classifier
from tuneloop.tasks import create_task

NAMES = ("text", "image", "audio", "tabular")
WHOLE = compose(
    {
        "text": "good a b", "image": store.keep(square("red"), None), "audio": store.keep(wav(tone(440)), None),
        "tabular": {"price": "3", "shop": "north"},
    }
)  # fmt: skip
OTHER = compose(
    {
        "text": "bad c d e f", "image": store.keep(square("blue"), None),
        "audio": store.keep(wav(tone(900, seconds=0.2)), None), "tabular": {"price": "9", "shop": "south"},
    }
)  # fmt: skip


def only(item: str, *names: str) -> str:
    """The item with nothing but these modalities."""
    return without(item, set(NAMES) - set(names))


ROWS = Examples(
    [str(row) for row in range(4)], [WHOLE, OTHER, only(WHOLE, "text"), only(OTHER, "tabular")], ["a", "b"] * 2
)


@dataclass
class Encoders:
    """Folders of tiny encoders."""

    text: Path
    image: Path
    audio: Path
    folder: Path
    answering: dict[Path, FusedForSequenceClassification] = field(default_factory=dict)

    @classmethod
    def written(cls, text: Path, folder: Path) -> Encoders:
        """Those of images and sound beside one of texts."""
        return cls(text, write_tiny_vit(folder / "image"), write_tiny_wav2vec2(folder / "audio"), folder / "fused")

    def config(self, kind: str = "late", names: Sequence[str] = NAMES, **fusion: Any) -> RunConfig:
        columns: dict[str, Any] = {name: name for name in ("image", "audio") if name in names}
        columns |= {"tabular": ["price", "shop"]} if "tabular" in names else {}
        chosen = {"image": str(self.image), "audio": str(self.audio), "width": 16, "heads": 2, "max_seconds": 0.5}
        return parse_config(
            {
                "modality": "+".join(names), "data": {"source": "x.csv", "columns": columns},
                "model": {"source": str(self.text), "max_tokens": 12}, "fusion": {"type": kind, **chosen, **fusion},
                "training": {"epochs": 1, "batch_size": 2, "precision": "fp32", "report_to": [], "weight_decay": 0.1},
            }
        )  # fmt: skip

    def source(self, config: RunConfig) -> Path:
        return fused_source(config, ROWS, folder=self.folder, base=None)

    def model(self, config: RunConfig) -> FusedForSequenceClassification:
        """With weights of the fusion that are drawn, ready to answer."""
        folder = self.source(config)
        torch.manual_seed(0)
        made: Any = load_classifier(folder, create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]}))
        return made.eval()

    def answers(self, config: RunConfig, items: Sequence[str], model: Any = None) -> np.ndarray:
        """Logits of items, (n, 2), of the model for these settings, which is made once and which nobody changes."""
        folder = self.source(config)
        if model is None and folder not in self.answering:
            self.answering[folder] = self.model(config)
        tokens = self.tokenizer(config).encode(list(items))
        return predict_logits(model or self.answering[folder], tokens, "fp32")

    def tokenizer(self, config: RunConfig) -> ItemTokenizer:
        return open_item_tokenizer(self.source(config), 12)
