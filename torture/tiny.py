"""A model that trains in a second: a random BERT of one layer that knows a few words."""

from __future__ import annotations

import json
from pathlib import Path

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", *"abcdefghijklmno", "[MASK]"]


def write_tiny_model(path: Path) -> Path:
    """Write a random masked BERT of one layer, as transformers saves it, and a word tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForMaskedLM, BertModel

    torch.set_num_threads(1)  # threads only get in each other's way in a model this small
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(WORDS), max_position_embeddings=32, initializer_range=0.3, **shape)
    body, whole = BertModel(config), BertForMaskedLM(config)
    whole.bert.load_state_dict(body.state_dict(), strict=False)
    whole.save_pretrained(path)
    inner = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    inner.add_special_tokens(["[MASK]"])
    inner.save(str(path / "tokenizer.json"))
    marks = {"pad_token": "[PAD]", "mask_token": "[MASK]", "tokenizer_class": "PreTrainedTokenizerFast"}
    (path / "tokenizer_config.json").write_text(json.dumps(marks))
    return path
