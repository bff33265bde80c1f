"""The encoders that a configuration names as one model folder, from which every method starts as from any other."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import ModelError
from tuneloop.core.fsio import new_dir, write_json
from tuneloop.core.fusion import SCRATCH, FusionConfig
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.media.items import parse
from tuneloop.models.item_tokenizer import FOLDER, SETTINGS, Columns, processor
from tuneloop.models.load import quiet_transformers, wants_own_code
from tuneloop.models.source import deciding_hashes, resolve
from tuneloop.models.tokenizer import FILES

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.core.config import RunConfig
    from tuneloop.data.examples import Examples

VERSION = 3

PATCHES = 8
"""From scratch: an image is cut into so many patches along each side."""

SMALL = {"hidden": 128, "layers": 3, "heads": 4}
"""From scratch: an encoder that a laptop trains."""

BANDS, RATE, FRAMES = 40, 16_000, 50
"""From scratch: bands of the spectrogram, samples and tokens per second of sound."""


def fused_source(config: RunConfig, train: Examples, *, folder: Path, base: Path | None) -> Path:
    """The folder of the encoders as one model, which is made once for the same encoders, settings and columns.

    The fusion, the last layer and encoders from scratch are not in it: they are drawn when it is opened.

    Args:
        train: the rows from which columns are learnt.
        folder: where such folders are kept.

    Raises:
        ModelError: if an encoder cannot be found, opened or trusted.
    """
    sources = {name: _resolved(name, source, base) for name, source in _named(config).items()}
    rows = [parse(text) for text in train.texts]
    known = sorted({name for row in rows for name in row.get("tabular", {})})
    columns = Columns.learnt(rows, config.data.columns.tabular or known)
    fusion = config.fusion.model_dump(mode="json")
    made_of = {name: path if isinstance(path, str) else deciding_hashes(path) for name, path in sources.items()}
    key = hash_json([VERSION, config.modalities, fusion, vars(columns), made_of])
    target = folder / key[:32]
    if not (target / "config.json").is_file():
        with new_dir(target, replace=True) as staging:
            _write(staging, config, sources, columns)
    return target


def pretrained(config: RunConfig, base: Path | None) -> list[Path]:
    """The folders of all encoders that do not learn from nothing.

    Raises:
        ModelError: if one cannot be found.
    """
    return [resolve(source, base=base) for source in _named(config).values() if source != SCRATCH]


def keep_frozen(model: PreTrainedModel, config: FusionConfig) -> None:
    """Freeze the encoders that stay as they came, after a method has chosen what it trains."""
    for name in config.frozen:
        encoder = getattr(getattr(model, "encoders", None), name, None)
        if encoder is not None:
            encoder.requires_grad_(False)


def _named(config: RunConfig) -> dict[str, str]:
    """The source of each encoder, by its modality."""
    every = {"text": config.model.source, "image": config.fusion.image, "audio": config.fusion.audio}
    return {name: every[name] for name in config.modalities if name in every}


def _resolved(name: str, source: str, base: Path | None) -> Path | str:
    if source == SCRATCH and name != "text":
        return SCRATCH
    found = resolve(source, base=base)
    if wants_own_code(found):
        raise ModelError(
            t("The model in {folder} wants to run code of its own.", folder=found),
            t("Beside other modalities no such code is run; choose another encoder."),
        )
    return found


def _write(folder: Path, config: RunConfig, sources: dict[str, Path | str], columns: Columns) -> None:
    import torch
    from safetensors.torch import save_file

    from tuneloop.models.fused import FusedConfig

    fusion = config.fusion
    encoders: dict[str, Any] = {}
    tensors: dict[str, Any] = {}
    for name, source in sources.items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # a pooler, or whatever else an encoder came without, is the same wherever it is drawn
            encoders[name], weights = _scratch(name, fusion) if isinstance(source, str) else _pretrained(name, source)
        tensors |= {f"encoders.{name}.{key}": value.contiguous().clone() for key, value in weights.items()}
        _write_processor(folder / FOLDER / name, name, source, fusion)
    built = FusedConfig(
        encoders=encoders,
        columns={"numbers": len(columns.numbers), "names": [len(known) for known in columns.names.values()]}
        if "tabular" in config.modalities
        else {},
        fusion=fusion.type,
        modality_dropout=fusion.dropout if len(config.modalities) > 1 else 0.0,
        hidden_size=fusion.width,
        fusion_layers=fusion.layers,
        fusion_heads=fusion.heads,
        drawn=[name for name, source in sources.items() if isinstance(source, str)],
    )
    settings = {
        "modalities": list(config.modalities),
        "numbers": columns.numbers,
        "names": columns.names,
        "max_seconds": fusion.max_seconds,
        "tokens": {
            name: _tokens(name, plain, fusion, folder / FOLDER / name)
            for name, plain in encoders.items()
            if name != "text"
        },
    }
    (folder / FOLDER).mkdir(exist_ok=True)
    write_json(folder / FOLDER / SETTINGS, settings)
    if isinstance(text := sources.get("text"), Path):
        for file in FILES:
            if (text / file).is_file():
                shutil.copyfile(text / file, folder / file)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", built.to_dict())


def _pretrained(name: str, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configuration of an encoder in a folder, and its weights, float32.

    Of a model of two encoders (CLIP and its kin) the one that is wanted; of one that hears and writes (Whisper) the
    one that hears.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    from tuneloop.models.fused import width_of

    part = {"text": "text_config", "image": "vision_config", "audio": "audio_config"}[name]
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        config = getattr(config, part, config)
        with quiet_transformers():
            model = AutoModel.from_pretrained(
                folder, config=config, use_safetensors=True, local_files_only=True, dtype=torch.float32
            )
    except Exception as error:  # a damaged folder makes transformers and safetensors raise many kinds
        raise ModelError(
            t("The model in {folder} cannot be loaded: {reason}", folder=folder, reason=str(error).split("\n")[0]),
            t("Give an encoder for {kind}, such as {example}.", kind=name, example=EXAMPLES[name]),
        ) from error
    encoder: Any = model.get_encoder() if config.is_encoder_decoder else model
    plain = config.to_dict()
    width_of(plain)
    return plain, encoder.state_dict()


EXAMPLES = {"text": "bert-base-uncased", "image": "google/vit-base-patch16-224", "audio": "facebook/wav2vec2-base"}


def _scratch(name: str, fusion: FusionConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configuration of a small encoder, whose weights are drawn later: a ViT, or the hearing half of Whisper."""
    hidden, layers, heads = SMALL["hidden"], SMALL["layers"], SMALL["heads"]
    if name == "image":
        side = fusion.image_size // PATCHES * PATCHES
        plain = {"model_type": "vit", "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads}
        return plain | {"intermediate_size": 2 * hidden, "image_size": side, "patch_size": side // PATCHES}, {}
    plain = {"model_type": "whisper", "d_model": hidden, "encoder_layers": layers, "encoder_attention_heads": heads}
    plain |= {"encoder_ffn_dim": 2 * hidden, "decoder_layers": 1, "decoder_attention_heads": heads, "vocab_size": 8}
    plain |= {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0}
    plain |= {"decoder_ffn_dim": hidden, "num_mel_bins": BANDS, "is_encoder_decoder": True}
    return plain | {"max_source_positions": _seconds(fusion) * FRAMES}, {}


def _seconds(fusion: FusionConfig) -> int:
    return math.ceil(fusion.max_seconds)


def _write_processor(folder: Path, name: str, source: Path | str, fusion: FusionConfig) -> None:
    """What prepares images or sound, as the encoder's folder says, or what fits one from scratch."""
    if name == "text":
        return
    if isinstance(source, Path):
        made = processor("AutoImageProcessor" if name == "image" else "AutoFeatureExtractor", source)
    elif name == "image":
        from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

        side = fusion.image_size // PATCHES * PATCHES
        made = ViTImageProcessorPil(size={"height": side, "width": side})
    else:
        from transformers import WhisperFeatureExtractor

        made = WhisperFeatureExtractor(feature_size=BANDS, sampling_rate=RATE, chunk_length=_seconds(fusion))
    made.save_pretrained(folder)


def _tokens(name: str, plain: dict[str, Any], fusion: FusionConfig, folder: Path) -> int:
    """Tokens that an encoder makes of an image, tried on a blank one, or of the longest sound, about as many."""
    if name == "audio":
        return int(fusion.max_seconds * FRAMES)
    import torch
    from PIL import Image

    from tuneloop.models.fused import encoder_of, tokens_of

    pixels = processor("AutoImageProcessor", folder)(images=Image.new("RGB", (8, 8)), return_tensors="pt")
    with torch.inference_mode():
        return int(tokens_of(encoder_of(plain).eval()(pixel_values=pixels["pixel_values"])).shape[1])
