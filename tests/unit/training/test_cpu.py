"""The cheaper operations compute what torch's own compute."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from tuneloop.training.cpu import ByteDropout, use_cheap_operations

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
