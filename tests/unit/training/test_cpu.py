"""The cheaper operations compute what torch's own compute."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from tuneloop.training.cpu import ATTENTION, ByteDropout, kept_memory, plain_attention, use_cheap_operations

SHAPE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.999])
@pytest.mark.parametrize("shape", [(1000, 999), (3, 7, 11_000)])
def test_the_asked_share_is_dropped_and_the_mean_stays(p: float, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    out = ByteDropout(p)(torch.ones(shape))
    kept = float((out != 0).float().mean())
    assert kept == pytest.approx(1 - p, abs=0.0045)
    assert float(out.max()) * kept == pytest.approx(1, abs=0.05)


def test_the_gradient_flows_where_the_value_was_kept() -> None:
    values = torch.ones(1000, requires_grad=True)
    out = ByteDropout(0.4)(values)
    out.sum().backward()
    assert torch.equal(values.grad, out.detach())


@pytest.mark.parametrize("layer", [ByteDropout(0.0), ByteDropout(0.4).eval()])
def test_without_training_or_probability_nothing_is_dropped(layer: ByteDropout) -> None:
    values = torch.randn(10)
    assert torch.equal(layer(values), values)


def test_the_same_seed_drops_the_same_values() -> None:
    drawn = [torch.manual_seed(3) and ByteDropout(0.5)(torch.ones(100)) for _ in range(2)]
    assert torch.equal(*drawn)


def test_the_answers_and_the_saved_names_stay_the_same() -> None:
    model = BertForSequenceClassification(BertConfig(vocab_size=30, **SHAPE)).eval()
    names, batch = list(model.state_dict()), {"input_ids": torch.tensor([[2, 5, 9, 0], [2, 7, 0, 0]])}
    batch["attention_mask"] = (batch["input_ids"] > 0).long()
    before = model(**batch).logits
    use_cheap_operations(model, "bf16")
    assert any(isinstance(module, ByteDropout) for module in model.modules())
    assert list(model.state_dict()) == names
    assert torch.allclose(model(**batch).logits, before, atol=1e-6)
    assert model.config._attn_implementation == ATTENTION
    assert ATTENTION not in model.config.to_json_string()


def test_plain_attention_answers_as_the_one_of_torch() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(3, 2, 7, 8) for _ in range(3))
    mask = torch.zeros(3, 1, 1, 7)
    mask[1, ..., 4:] = torch.finfo(torch.float32).min
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    mixed, weights = plain_attention(None, query, key, value, mask, 8**-0.5)
    assert torch.allclose(mixed, expected.transpose(1, 2), atol=1e-6)
    assert not weights[1, ..., 4:].any()


def test_plain_attention_drops_weights_and_keeps_their_mean() -> None:
    torch.manual_seed(0)
    query, value = torch.randn(50, 4, 30, 8), torch.ones(50, 4, 30, 8)
    mixed, weights = plain_attention(None, query, query, value, None, 8**-0.5, dropout=0.25)
    assert float((weights == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert float(mixed.mean()) == pytest.approx(1, abs=0.02)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="a setting of glibc")
def test_memory_kept_for_the_next_step_goes_back_after_training() -> None:
    with kept_memory():
        blocks = [torch.ones(1 << 20) for _ in range(50)]
        del blocks
        inside = resident_mb()
    assert inside - resident_mb() > 150


def resident_mb() -> float:
    """What this process has in memory now, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
