"""Small images, sounds and an encoder of images, for the tests of rows of several modalities."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

COLOURS = {"red": (230, 20, 20), "blue": (20, 20, 230)}


def image_bytes(image: Any, format: str = "PNG", **settings: Any) -> bytes:
    """An image of Pillow as a file."""
    data = io.BytesIO()
    image.save(data, format, **settings)
    return data.getvalue()


def square(colour: str, seed: int = 0) -> bytes:
    """A PNG of a square, red or blue, somewhere on grey, which differs with the seed."""
    from PIL import Image, ImageDraw

    random = np.random.default_rng(seed)
    image = Image.new("RGB", (24, 24), tuple(int(value) for value in random.integers(100, 156, 3)))
    left, top = (int(value) for value in random.integers(2, 10, 2))
    ImageDraw.Draw(image).rectangle((left, top, left + 11, top + 11), fill=COLOURS[colour])
    return image_bytes(image)


def wav(samples: Any, rate: int = 8_000, **settings: Any) -> bytes:
    """Samples as a WAV file."""
    import soundfile

    data = io.BytesIO()
    soundfile.write(data, samples, rate, format="WAV", **settings)
    return data.getvalue()


def tone(hertz: float, *, rate: int = 8_000, seconds: float = 0.5, phase: float = 0.0) -> Any:
    """Samples of a sine, half as loud as can be."""
    times = np.arange(int(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * times + phase)).astype(np.float32)


def write_tiny_vit(folder: Path) -> Path:
    """A folder with a random ViT of one layer, five tokens an image, as transformers saves it."""
    import torch
    from transformers import ViTConfig, ViTModel
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    ViTModel(ViTConfig(image_size=16, patch_size=8, **shape)).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


def write_tiny_wav2vec2(folder: Path) -> Path:
    """A folder with a random wav2vec2 of one layer, a token for every 320 samples of 16,000 a second."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    ears = {"conv_dim": (8, 8), "conv_stride": (20, 16), "conv_kernel": (20, 16), "num_feat_extract_layers": 2}
    config = Wav2Vec2Config(
        **shape, **ears, feat_extract_norm="layer", num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
        apply_spec_augment=False,
    )  # fmt: skip
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    return folder
