"""What the last layer of a model receives is heard beside its answers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tuneloop.core.errors import ModelError
from tuneloop.models.first_token import read_first_token_only, sample_batch
from tuneloop.models.forward import HeadInput
from tuneloop.models.load import head_of


def opened(folder: Path, kind: str = "AutoModelForSequenceClassification"):
    import torch
    import transformers

    torch.manual_seed(0)
    return getattr(transformers, kind).from_pretrained(folder, num_labels=3).eval().requires_grad_(False)


@pytest.mark.parametrize("family", ["tiny_model", "gpt"])
def test_the_head_makes_the_logits_of_what_is_heard(family: str, request: pytest.FixtureRequest) -> None:
    import torch

    model = read_first_token_only(opened(request.getfixturevalue(family)))
    heard, batch = HeadInput(model), sample_batch(model)
    batch["input_ids"][batch["attention_mask"] == 0] = 0
    logits = model(**batch).logits
    assert torch.allclose(head_of(model)(heard.vectors(batch["attention_mask"])), logits, atol=1e-5)


def test_threads_do_not_hear_each_other(tiny_model: Path) -> None:
    import torch

    model = opened(tiny_model)
    heard, batch = HeadInput(model), sample_batch(model)
    logits, mask = model(**batch).logits, batch["attention_mask"]
    other = threading.Thread(target=lambda: model(**{name: values[:1] for name, values in batch.items()}))
    other.start(), other.join()
    assert torch.allclose(head_of(model)(heard.vectors(mask)), logits, atol=1e-5)


def test_a_model_that_judges_every_token_tells_no_vector_of_a_text(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="last linear layer"):
        HeadInput(opened(tiny_model, "AutoModelForTokenClassification"))
