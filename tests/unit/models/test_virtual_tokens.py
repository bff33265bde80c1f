"""Virtual tokens of causal models: the same for texts packed, padded and alone; gone is nothing but what was learnt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tuneloop.models.load import load_writer
from tuneloop.models.packed import pack, states_of
from tuneloop.models.virtual_tokens import add_prefix, add_prompt

LENGTHS = [9, 1, 5, 5, 14]
KINDS = {"prefix": add_prefix, "projected": lambda *given: add_prefix(*given, 6), "prompt": add_prompt}


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(8, 20, (len(LENGTHS), max(LENGTHS)), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask}


@pytest.fixture(params=KINDS)
def tuned(request: pytest.FixtureRequest, chat_model: Path) -> Callable[[], torch.nn.Module]:
    def model() -> torch.nn.Module:
        found = load_writer(chat_model).eval().requires_grad_(False)
        torch.manual_seed(1)
        KINDS[request.param](found, 3)
        return found

    return model


def test_packed_padded_and_alone_are_the_same(tuned: Callable, batch: dict) -> None:
    model = tuned()
    rows = [batch["input_ids"][row : row + 1, :length] for row, length in enumerate(LENGTHS)]
    alone = torch.cat([model.model(input_ids=ids).last_hidden_state[0] for ids in rows])
    packed = states_of(model, pack(**batch))
    padded = model.model(**batch).last_hidden_state[batch["attention_mask"].bool()]
    torch.testing.assert_close(packed, alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(padded, alone, atol=1e-5, rtol=1e-4)
    packed.pow(2).sum().backward()
    assert all(each.grad.abs().sum() > 0 for each in model.parameters() if each.requires_grad)


def test_they_begin_as_words_that_stand_before_every_text(tuned: Callable, chat_model: Path, batch: dict) -> None:
    model, plain = tuned(), load_writer(chat_model).eval()
    torch.manual_seed(1)
    words = torch.randint(plain.config.vocab_size, (3,))
    ids = batch["input_ids"][:1, :9]
    whole = plain(input_ids=torch.cat([words[None], ids], dim=1)).logits[:, 3:]
    if hasattr(model.model, "prompt") or model.model.layers[0].self_attn.before.projection is None:
        torch.testing.assert_close(model(input_ids=ids).logits, whole, atol=1e-5, rtol=1e-4)
    else:
        assert not torch.allclose(model(input_ids=ids).logits, whole, atol=1e-2)


def test_what_is_written_on_is_what_every_single_step_would_say(tuned: Callable, batch: dict) -> None:
    model = tuned()
    ids = batch["input_ids"][:2, :9].clone()
    mask = torch.ones_like(ids)
    mask[1, :4] = 0
    written = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=4, min_new_tokens=4, do_sample=False)
    for row, start in ((0, 0), (1, 4)):
        text = ids[row : row + 1, start:]
        for _ in range(4):
            logits = model(input_ids=text).logits[0, -1]
            logits[model.generation_config.eos_token_id] = -torch.inf
            text = torch.cat([text, logits.argmax()[None, None]], dim=1)
        assert written[row, start:].tolist() == text[0].tolist()


def test_a_prompt_that_has_learnt_is_read_anew(chat_model: Path, batch: dict) -> None:
    model = load_writer(chat_model).eval()
    add_prompt(model, 3)
    with torch.inference_mode():
        before, again = (model(**batch).logits for _ in range(2))
    assert torch.equal(before, again)
    with torch.no_grad():
        model.model.prompt.vectors.mul_(3)
    with torch.inference_mode():
        assert not torch.allclose(model(**batch).logits, before, atol=1e-3)
