"""Texts packed into one row: none sees another, and the loss is that of the logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tuneloop.models.load import load_writer
from tuneloop.models.next_token import CHUNK, next_token_losses
from tuneloop.models.packed import pack, states_of, use_packed_attention

LENGTHS = [9, 1, 5, 5, 14]


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(8, 20, (len(LENGTHS), max(LENGTHS)), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask}


@pytest.mark.parametrize("own", [True, False])
def test_a_packed_text_has_the_states_that_it_has_alone(chat_model: Path, batch: dict, own: bool) -> None:
    model = load_writer(chat_model).eval()
    alone = [
        model.model(input_ids=batch["input_ids"][row : row + 1, :length]).last_hidden_state[0]
        for row, length in enumerate(LENGTHS)
    ]
    if own:
        use_packed_attention(model)
        assert model.config._attn_implementation == "tuneloop_packed"
    packed = states_of(model, pack(**batch))
    torch.testing.assert_close(packed, torch.cat(alone), atol=1e-5, rtol=1e-4)


def test_a_text_gives_no_gradient_to_its_neighbours(chat_model: Path, batch: dict) -> None:
    model = load_writer(chat_model)
    use_packed_attention(model)
    vectors: list[torch.Tensor] = []

    def watch(_: object, __: object, output: torch.Tensor) -> None:
        output.retain_grad()
        vectors.append(output)

    model.get_input_embeddings().register_forward_hook(watch)
    edges = np.cumsum([0, *LENGTHS])
    states_of(model, pack(**batch))[edges[2] : edges[3]].sum().backward()
    moved = vectors[0].grad[0].abs().sum(dim=1) > 0
    assert moved.nonzero()[:, 0].tolist() == list(range(edges[2], edges[3]))


def test_a_padded_batch_is_still_answered(chat_model: Path, batch: dict) -> None:
    model = load_writer(chat_model).eval()
    before = model(**batch).logits
    use_packed_attention(model)
    mask = batch["attention_mask"].bool()
    torch.testing.assert_close(model(**batch).logits[mask], before[mask], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("rows", [1, CHUNK, CHUNK + 3])
def test_losses_and_gradients_are_those_of_cross_entropy(rows: int) -> None:
    random = torch.Generator().manual_seed(1)
    states, head = (torch.randn(size, 6, generator=random, requires_grad=True) for size in (rows, 11))
    wanted = torch.randint(0, 11, (rows,), generator=random)
    weights = torch.rand(rows, generator=random)
    expected = torch.nn.functional.cross_entropy(states @ head.T, wanted, reduction="none")
    found = next_token_losses(states, head, wanted)
    torch.testing.assert_close(found, expected)
    ours = torch.autograd.grad((found * weights).sum(), (states, head))
    theirs = torch.autograd.grad((expected * weights).sum(), (states, head))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)
