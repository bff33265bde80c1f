"""Encoders of text, images, sound and columns under one head, as one ordinary model of transformers.

Importing this module makes its kind known to transformers, so that `AutoModelForSequenceClassification` opens a saved
one; nothing of it is remote code.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import SequenceClassifierOutput

from tuneloop.core.fusion import FUSED, MODALITIES


class FusedConfig(PretrainedConfig):
    """What a fused model is built of.

    Args:
        encoders: the configuration of each encoder, by its modality.
        columns: how many columns hold numbers, and for each other one how many names it knows.
        fusion: late or cross_attention.
        modality_dropout: share of training rows of which a modality is hidden.
        hidden_size: width in which modalities meet.
        drawn: encoders that learn from nothing.
    """

    model_type = FUSED

    def __init__(
        self,
        encoders: dict[str, Any] | None = None,
        columns: dict[str, Any] | None = None,
        fusion: str = "late",
        modality_dropout: float = 0.0,
        hidden_size: int = 256,
        fusion_layers: int = 2,
        fusion_heads: int = 4,
        hidden_dropout_prob: float = 0.1,
        drawn: list[str] | None = None,
        **more: Any,
    ) -> None:
        self.encoders, self.columns = encoders or {}, columns or {}
        self.fusion, self.modality_dropout = fusion, modality_dropout
        self.hidden_size, self.fusion_layers, self.fusion_heads = hidden_size, fusion_layers, fusion_heads
        self.hidden_dropout_prob, self.drawn = hidden_dropout_prob, drawn or []
        text = self.encoders.get("text", {})
        self.vocab_size = int(text.get("vocab_size", 1))
        self.type_vocab_size = int(text.get("type_vocab_size") or 0)
        if "max_position_embeddings" in text:
            self.max_position_embeddings = int(text["max_position_embeddings"])
        super().__init__(**more)

    @property
    def modalities(self) -> list[str]:
        """What it reads, in the order of `present`."""
        return [name for name in MODALITIES if name in self.encoders or (name == "tabular" and self.columns)]


def encoder_of(plain: dict[str, Any]) -> nn.Module:
    """The encoder that a configuration describes, with weights by chance."""
    # with a dtype of its own an encoder would not follow the model that it is part of
    apart = ("model_type", "transformers_version", "dtype", "torch_dtype")
    known = {key: value for key, value in plain.items() if key not in apart}
    config = AutoConfig.for_model(plain["model_type"], **known)
    model = AutoModel.from_config(config)
    return model.get_encoder() if getattr(config, "is_encoder_decoder", False) else model  # type: ignore[no-any-return]


def width_of(plain: dict[str, Any]) -> int:
    """The width of what an encoder says of each of its tokens."""
    for name in ("hidden_size", "d_model", "dim"):
        if plain.get(name):
            return int(plain[name])
    return int(plain["hidden_sizes"][-1])


def tokens_of(answer: Any) -> Tensor:
    """What an encoder says of each token, (batch, tokens, width); of a convolutional network its places are tokens."""
    states: Tensor = answer.last_hidden_state
    return states.flatten(2).transpose(1, 2) if states.ndim == 4 else states


class ColumnEncoder(nn.Module):
    """Each column as a token: a number times a vector, or the vector of a name, and the column's own vector.

    Gorishniy et al., "Revisiting Deep Learning Models for Tabular Data" (2021), section 3.3. A value that is missing,
    and a name that train did not have, have a vector of their own.
    """

    def __init__(self, numbers: int, names: list[int], width: int) -> None:
        super().__init__()
        self.numbers = nn.Parameter(torch.empty(numbers, width))
        self.absent = nn.Parameter(torch.empty(numbers, width))
        self.columns = nn.Parameter(torch.empty(numbers + len(names), width))
        self.names = nn.ModuleList(nn.Embedding(count + 1, width) for count in names)

    def forward(self, numbers: Tensor, names: Tensor) -> Tensor:
        """Tokens (batch, columns, width) of numbers (batch, n), not a number where missing, and names (batch, m)."""
        missing = numbers.isnan().unsqueeze(-1)
        said = torch.where(
            missing, self.absent, numbers.nan_to_num().unsqueeze(-1).to(self.numbers.dtype) * self.numbers
        )
        tokens = [said, *(each(names[:, row]).unsqueeze(1) for row, each in enumerate(self.names))]
        return torch.cat(tokens, dim=1) + self.columns


class Encoders(PreTrainedModel):
    """What is pretrained: one encoder for each modality; tokens of columns are made from nothing."""

    config_class = FusedConfig
    base_model_prefix = "encoders"

    def __init__(self, config: FusedConfig) -> None:
        super().__init__(config)
        self.text = encoder_of(config.encoders["text"]) if "text" in config.encoders else None
        self.image = encoder_of(config.encoders["image"]) if "image" in config.encoders else None
        self.audio = encoder_of(config.encoders["audio"]) if "audio" in config.encoders else None
        self.post_init()

    def forward(self, kind: str, **given: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder of a modality says of each token, (batch, tokens, width), and which tokens count."""
        encoder: Any = getattr(self, kind)
        weight = next(encoder.parameters())
        floats = {key: value.to(weight.dtype) if value.is_floating_point() else value for key, value in given.items()}
        states = tokens_of(encoder(**floats))
        mask = given.get("attention_mask")
        if mask is None or mask.shape[1] != states.shape[1]:
            heard = getattr(encoder, "_get_feature_vector_attention_mask", None)
            mask = heard(states.shape[1], mask) if heard and mask is not None else states.new_ones(states.shape[:2])
        return states, mask.bool()


class Late(nn.Module):
    """The sum of what each modality that is there says alone.

    As the last layer is linear, the logits are the sum of each modality's own logits: of evidence that is independent
    given the class, that is how it adds up (a product of experts, Hinton, 2002). One that is missing adds nothing.
    """

    def __init__(self, config: FusedConfig, widths: dict[str, int]) -> None:
        super().__init__()
        self.alone = nn.ModuleDict(
            {
                name: nn.Sequential(nn.LayerNorm(width), nn.Linear(width, config.hidden_size), nn.GELU())
                for name, width in widths.items()
            }
        )

    def forward(self, states: dict[str, tuple[Tensor, Tensor]], present: Tensor) -> Tensor:
        """One vector for each row, (batch, hidden): zeros where nothing is there."""
        return (self.said(states) * present.unsqueeze(-1)).sum(dim=1)

    def said(self, states: dict[str, tuple[Tensor, Tensor]]) -> Tensor:
        """What each modality says of each row alone, (batch, modalities, hidden)."""
        found = []
        for name, layers in self.alone.items():
            tokens, mask = states[name]
            counted = mask.unsqueeze(-1).to(tokens.dtype)
            found.append(layers((tokens * counted).sum(1) / counted.sum(1).clamp(min=1)))
        return torch.stack(found, dim=1)


class CrossAttention(Late):
    """What each modality says looks at the tokens of all that are there, layer by layer, before it is added up.

    As in LXMERT (Tan and Bansal, 2019) each modality asks the others; here it is one query for each of them. One learnt
    token is always there to be looked at.
    """

    def __init__(self, config: FusedConfig, widths: dict[str, int]) -> None:
        super().__init__(config, widths)
        hidden = config.hidden_size
        self.into = nn.ModuleDict(
            {name: nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden)) for name, width in widths.items()}
        )
        self.kinds, self.nothing = nn.Parameter(torch.empty(len(widths), hidden)), nn.Parameter(torch.empty(1, hidden))
        self.layers = nn.ModuleList(CrossLayer(config) for _ in range(config.fusion_layers))

    def forward(self, states: dict[str, tuple[Tensor, Tensor]], present: Tensor) -> Tensor:
        """One vector for each row, (batch, hidden): zeros where nothing is there."""
        said, rows = self.said(states), len(present)
        tokens, masks = [self.nothing.expand(rows, 1, -1)], [present.new_ones((rows, 1))]
        for number, (name, layers) in enumerate(self.into.items()):
            read, mask = states[name]
            tokens.append(layers(read) + self.kinds[number])
            masks.append(mask & present[:, number : number + 1])
        keys, counts = torch.cat([each.to(said.dtype) for each in tokens], dim=1), torch.cat(masks, dim=1)
        for layer in self.layers:
            said = layer(said, keys, counts)
        return (said * present.unsqueeze(-1)).sum(dim=1)


class CrossLayer(nn.Module):
    """Cross-attention and a feed-forward part, each behind a norm and beside what came in."""

    def __init__(self, config: FusedConfig) -> None:
        super().__init__()
        hidden, self.heads, self.drop = config.hidden_size, config.fusion_heads, config.hidden_dropout_prob
        self.before, self.after = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.query, self.key, self.value, self.out = (nn.Linear(hidden, hidden) for _ in range(4))
        self.forth = nn.Sequential(nn.Linear(hidden, 4 * hidden), nn.GELU(), nn.Linear(4 * hidden, hidden))

    def forward(self, queries: Tensor, keys: Tensor, counts: Tensor) -> Tensor:
        """Queries (batch, queries, hidden) that have looked at the keys (batch, tokens, hidden) that count."""
        split = [
            part(given).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part, given in ((self.query, self.before(queries)), (self.key, keys), (self.value, keys))
        ]
        mixed = nn.functional.scaled_dot_product_attention(
            *split, attn_mask=counts[:, None, None, :], dropout_p=self.drop if self.training else 0.0
        )
        queries = queries + self.out(mixed.transpose(1, 2).flatten(2))
        return queries + self.forth(self.after(queries))  # type: ignore[no-any-return]


class FusedForSequenceClassification(PreTrainedModel):
    """Encoders, a fusion and a last linear layer; what a row lacks is left out of the fusion.

    In training each modality of a row is hidden with `modality_dropout`, as long as another one is left (Neverova et
    al., "ModDrop", 2015).
    """

    config_class = FusedConfig
    base_model_prefix = "encoders"
    media_inputs = ("present", "pixel_values", "sound", "sound_mask", "numbers", "names")

    def __init__(self, config: FusedConfig) -> None:
        super().__init__(config)
        self.encoders = Encoders(config)
        widths = {name: width_of(config.encoders[name]) for name in config.modalities if name != "tabular"}
        if "tabular" in config.modalities:
            widths["tabular"] = config.hidden_size
            self.columns = ColumnEncoder(config.columns["numbers"], config.columns["names"], config.hidden_size)
        self.fusion = (CrossAttention if config.fusion == "cross_attention" else Late)(config, widths)
        self.kept: dict[str, tuple[Tensor, Tensor]] = {}  # what stands in for encoders: see `frozen_encoders`
        self.rounded: frozenset[str] = frozenset()
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        present: Tensor | None = None,
        pixel_values: Tensor | None = None,
        sound: Tensor | None = None,
        sound_mask: Tensor | None = None,
        numbers: Tensor | None = None,
        names: Tensor | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Logits (batch, outputs).

        Args:
            present: whether each modality of `config.modalities` is there, (batch, modalities); by default text alone.
            pixel_values: of the rows that have an image, in order.
            sound: of the rows that have sound, in order: samples (rows, samples) or features (rows, bands, frames).
            numbers: (batch, columns) and `names` (batch, columns), of all rows.
        """
        assert input_ids is not None
        if present is None:
            present = torch.tensor([name == "text" for name in self.config.modalities], device=input_ids.device)
            present = present.expand(len(input_ids), -1)
        given = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        given |= {"pixel_values": pixel_values, "sound": sound, "sound_mask": sound_mask, "present": present}
        given |= {"numbers": numbers, "names": names}
        states = {name: self.read(name, **given) for name in self.config.modalities}
        counted = present.bool()
        if self.training and self.config.modality_dropout:
            counted = hidden(counted, self.config.modality_dropout)
        return SequenceClassifierOutput(logits=self.classifier(self.dropout(self.fusion(states, counted))))  # type: ignore[arg-type]

    def read(self, name: str, **given: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the encoder of a modality says of each row, (batch, tokens, width), and which tokens count.

        Its encoder reads no row that lacks the modality, and none at all whose states are kept; there zeros stand.

        Args:
            given: what `forward` takes.
        """
        if name in self.kept:
            return self.kept[name]
        if name == "tabular":
            return self._columns(given["numbers"], given["names"], given["input_ids"])
        present = given["present"]
        assert present is not None
        there = present[:, self.config.modalities.index(name)].bool()
        rows = there.nonzero().flatten()
        if not len(rows):
            empty = self.classifier.weight.new_zeros(len(there), 1, width_of(self.config.encoders[name]))
            return empty, torch.zeros(len(there), 1, dtype=torch.bool, device=there.device)
        states, mask = self.encoders(name, **self._inputs(name, rows, given))
        if name in self.rounded:
            states = states.to(torch.bfloat16).to(states.dtype)
        if len(rows) == len(there):
            return states, mask
        all_states = states.new_zeros(len(there), *states.shape[1:]).index_copy(0, rows, states)
        return all_states, mask.new_zeros(len(there), mask.shape[1]).index_copy(0, rows, mask)

    def _inputs(self, name: str, rows: Tensor, given: dict[str, Tensor | None]) -> dict[str, Tensor]:
        """What an encoder is called with."""
        if name == "image":
            found = {"pixel_values": given["pixel_values"]}
        elif name == "audio":
            sound = given["sound"]
            features = sound is not None and sound.ndim == 3
            found = {"input_features" if features else "input_values": sound, "attention_mask": given["sound_mask"]}
        else:
            wanted = ["input_ids", "attention_mask", *(["token_type_ids"] if self.config.type_vocab_size else [])]
            found = {key: None if (value := given[key]) is None else value[rows] for key in wanted}
        return {key: value for key, value in found.items() if value is not None}

    def _columns(self, numbers: Tensor | None, names: Tensor | None, ids: Tensor | None) -> tuple[Tensor, Tensor]:
        assert ids is not None
        empty = ids.new_zeros((len(ids), 0))
        tokens = self.columns(empty.float() if numbers is None else numbers, empty if names is None else names)
        return tokens, tokens.new_ones(tokens.shape[:2], dtype=torch.bool)

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        for name in ("numbers", "absent", "columns", "kinds", "nothing"):
            weight = getattr(module, name, None)
            if isinstance(weight, nn.Parameter):
                init.normal_(weight, std=0.02 if name == "kinds" else 1 / weight.shape[-1] ** 0.5)

    def embed(self) -> None:
        """Let the logits be the vector of the fusion, and freeze the last layer."""
        with torch.no_grad():
            self.classifier.weight.copy_(torch.eye(self.classifier.in_features))
            self.classifier.bias.zero_()
        self.classifier.requires_grad_(False)


def hidden(present: Tensor, share: float) -> Tensor:
    """Which modalities are left, (batch, modalities), when each is hidden by chance, but never all of a row."""
    kept = present & (torch.rand(present.shape, device=present.device) >= share)
    return torch.where(kept.any(dim=1, keepdim=True), kept, present)


AutoConfig.register(FUSED, FusedConfig, exist_ok=True)
AutoModelForSequenceClassification.register(FusedConfig, FusedForSequenceClassification, exist_ok=True)
