"""A WordPiece tokenizer made from texts: the same texts give the same file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
RARE = 2
"""A sign or a run of signs that occurs less often gets no token: there is nothing to learn about it."""


def train_tokenizer(texts: Sequence[str], folder: Path, *, vocabulary: int, max_tokens: int) -> int:
    """Write tokenizer.json and tokenizer_config.json, as AutoTokenizer reads them; returns the number of tokens.

    Words are cut as BERT cuts them: lower case without accents, each Chinese character apart.

    Args:
        vocabulary: tokens at most; in Chinese every character that occurs twice should have room.
        max_tokens: the longest text of the model, for whoever reads the folder.
    """
    from tokenizers import Tokenizer, models, processors
    from transformers import PreTrainedTokenizerFast

    pieces = _learn(texts, vocabulary)
    numbers = {piece: number for number, piece in enumerate(pieces)}
    inner = _like_bert(Tokenizer(models.WordPiece(numbers, unk_token=SPECIAL["unk_token"])))
    inner.add_special_tokens(list(SPECIAL.values()))
    ends = [(SPECIAL[name], numbers[SPECIAL[name]]) for name in ("sep_token", "cls_token")]
    inner.post_processor = processors.BertProcessing(*ends)
    PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=max_tokens, **SPECIAL).save_pretrained(folder)
    return len(pieces)


def _learn(texts: Sequence[str], vocabulary: int) -> list[str]:
    """The special tokens, the signs, and the runs of signs that occur most often."""
    from tokenizers import Tokenizer, models, trainers

    inner = _like_bert(Tokenizer(models.WordPiece(unk_token=SPECIAL["unk_token"])))
    signs = _signs(texts, inner, vocabulary - len(SPECIAL))
    alphabet = sorted({sign.removeprefix("##") for sign in signs})
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        min_frequency=RARE,
        # Left to itself the trainer numbers the signs inside words in the order of a hash map, which differs from
        # process to process and decides ties. Given before all others, they have their numbers.
        special_tokens=[*SPECIAL.values(), *signs],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    found = inner.get_vocab()
    return sorted(found, key=lambda piece: found[piece])[:vocabulary]


def _signs(texts: Sequence[str], inner: Tokenizer, room: int) -> list[str]:
    """Characters that begin a word, and `##` with those inside one; the commonest, sorted."""
    counts: Counter[str] = Counter()
    for text in texts:
        for word, _ in inner.pre_tokenizer.pre_tokenize_str(inner.normalizer.normalize_str(text)):
            counts[word[0]] += 1
            counts.update(f"##{sign}" for sign in word[1:])
    common = [sign for sign, count in counts.items() if count >= RARE]
    return sorted(sorted(common, key=lambda sign: (-counts[sign], sign))[:room])


def _like_bert(inner: Any) -> Any:
    from tokenizers import normalizers, pre_tokenizers

    inner.normalizer = normalizers.BertNormalizer()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return inner
