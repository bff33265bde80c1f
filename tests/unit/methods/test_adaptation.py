"""Few weights learn: how many, where, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2ForSequenceClassification

from tuneloop.core.config import MethodConfig, parse_config
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.paths import Workspace
from tuneloop.inference.opening import open_model
from tuneloop.methods import METHODS, create_method
from tuneloop.methods.adaptation import linear_layers
from tuneloop.models.pooling import mean_layer
from tuneloop.training.run import tune

HIDDEN, INNER, LAYERS = 32, 48, 3
HEAD = HIDDEN * HIDDEN + HIDDEN + 2 * HIDDEN + 2  # the pooler and two classes


def bert() -> BertForSequenceClassification:
    torch.manual_seed(0)
    shape = {"hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "intermediate_size": INNER}
    return BertForSequenceClassification(BertConfig(vocab_size=30, **shape)).eval()


def gpt2() -> GPT2ForSequenceClassification:
    torch.manual_seed(0)
    return GPT2ForSequenceClassification(GPT2Config(vocab_size=30, n_positions=16, n_embd=HIDDEN, n_layer=2, n_head=2))


def prepared(name: str, model: Any = None, **options: object) -> tuple[Any, Any]:
    method, model = create_method(MethodConfig(type=name, **options)), bert() if model is None else model
    method.prepare(model)
    return method, model


def trained_weights(model: Any) -> int:
    return sum(value.numel() for value in model.parameters() if value.requires_grad)


@pytest.mark.parametrize("rank", [1, 4])
@pytest.mark.parametrize(
    ("layers", "widths"), [("attention", 4 * [2 * HIDDEN]), ("all", [*4 * [2 * HIDDEN], *2 * [HIDDEN + INNER]])]
)
def test_lora_trains_rank_times_inputs_and_outputs_of_each_layer(rank: int, layers: str, widths: list[int]) -> None:
    _, model = prepared("lora", rank=rank, layers=layers)
    assert trained_weights(model) == LAYERS * rank * sum(widths) + HEAD


def test_dora_trains_a_length_per_output_more() -> None:
    plain, dora = (trained_weights(prepared("lora", rank=2, dora=on)[1]) for on in (False, True))
    assert dora - plain == LAYERS * (5 * HIDDEN + INNER)


def test_ia3_trains_keys_values_and_inner_units() -> None:
    assert trained_weights(prepared("ia3")[1]) == LAYERS * (2 * HIDDEN + INNER) + HEAD


def test_bitfit_trains_the_biases() -> None:
    _, model = prepared("bitfit")
    per_layer = 5 * HIDDEN + INNER + 2 * HIDDEN  # six linear layers, two norms
    assert trained_weights(model) == LAYERS * per_layer + HIDDEN + HEAD


@pytest.mark.parametrize("name", ["lora", "adalora", "ia3", "bitfit"])
def test_before_training_the_answers_are_those_of_the_pretrained_model(name: str) -> None:
    ids = torch.arange(2, 26).reshape(2, 12)
    _, model = prepared(name)
    with torch.inference_mode():
        assert torch.allclose(model.eval()(input_ids=ids).logits, bert()(input_ids=ids).logits, atol=1e-6)


@pytest.mark.parametrize("name", ["lora", "adalora", "ia3", "bitfit"])
def test_every_trained_weight_is_in_one_group(name: str) -> None:
    method, model = prepared(name, head_scale=7.0, rate_scale=3.0)
    groups = method.parameter_groups(model)
    grouped = [id(value) for group in groups for value in group.parameters]
    assert sorted(grouped) == sorted(id(value) for value in model.parameters() if value.requires_grad)
    assert {group.scale for group in groups} == {3.0, 7.0}


@pytest.mark.parametrize("options", [{"type": "lora"}, {"type": "lora", "dora": True}, {"type": "ia3"}])
def test_merged_weights_answer_like_the_adapted_ones(options: dict[str, Any]) -> None:
    method, model = prepared(options["type"], **{name: value for name, value in options.items() if name != "type"})
    torch.manual_seed(1)
    with torch.no_grad():
        for value in model.parameters():
            if value.requires_grad:
                value.add_(0.1 * torch.randn_like(value))
    ids = torch.arange(2, 26).reshape(2, 12)
    with torch.inference_mode():
        apart = model.eval()(input_ids=ids).logits
        merged = method.merge(model)
        assert torch.allclose(merged(input_ids=ids).logits, apart, atol=1e-5)
    assert set(merged.state_dict()) == set(bert().state_dict())


def test_gpt2_is_adapted_by_lora_and_says_why_ia3_is_not_for_it() -> None:
    method, model = prepared("lora", gpt2())
    assert len(linear_layers(gpt2())) == 2 * 4
    assert type(method.merge(model)) is GPT2ForSequenceClassification
    with pytest.raises(ModelError, match="no keys and values"):
        prepared("ia3", gpt2())


def test_adalora_moves_its_budget_to_the_layers_that_need_it(tiny_model: Path, made_up: Any, tmp_path: Path) -> None:
    options = {"type": "adalora", "first_rank": 4, "rank": 2}
    training = {"epochs": 10, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
    plain = {"data": {"source": "x.csv"}, "method": options, "training": training}
    settings = parse_config(plain | {"model": {"source": str(tiny_model), "max_tokens": 16}})
    run = tune(settings, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)
    ranks = run.info["ranks"]
    assert len(ranks) == 6
    assert sum(ranks.values()) == 6 * 2
    assert len(set(ranks.values())) > 1


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0.1), (2, 0.5), (3, 0.6), (5, 0.69)])
def test_adalora_of_few_steps_ends_with_its_final_rank(
    tiny_model: Path, made_up: Any, tmp_path: Path, steps: int, warmup: float
) -> None:
    options = {"type": "adalora", "first_rank": 4, "rank": 2, "warmup": warmup, "rate_scale": 1.0}
    training = {"epochs": steps / 12, "batch_size": 8, "precision": "fp32", "report_to": []}
    plain = {"data": {"source": "x.csv"}, "method": options, "training": training}
    settings = parse_config(plain | {"model": {"source": str(tiny_model), "max_tokens": 16}})
    run = tune(settings, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)
    assert run.info["steps"] == steps
    assert steps == 1 or sum(run.info["ranks"].values()) == 6 * 2


def test_a_warm_up_that_leaves_no_steps_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match="together less than 1"):
        create_method(MethodConfig(type="adalora", warmup=0.7))


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(name, marks=[] if name in ("full", "lora", "probe") else pytest.mark.long)
        for name in sorted({*METHODS.names()} - {"pet", "in_context", "dpo"})  # gaps, pairs
    ],
)
def test_a_model_read_by_its_mean_is_saved_and_opened_as_it_was_judged(
    tiny_model: Path, made_up: Any, options_of: Any, tmp_path: Path, method: str
) -> None:
    training = {"epochs": 4, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
    chosen = {"type": method, **options_of(method, "classification")}
    plain = {"data": {"source": "x.csv"}, "method": chosen, "training": training}
    settings = parse_config(plain | {"model": {"source": str(tiny_model), "max_tokens": 16, "pooling": "mean"}})
    data = made_up("classification")
    run = tune(settings, snapshot=data, workspace=Workspace(tmp_path), quiet=True)
    handle, dev = run.handle(), data.split("dev")
    figures = handle.task.metrics(dev.labels, handle.scores(dev.inputs))
    assert figures["macro_f1"] == pytest.approx(run.info["best_dev"]["macro_f1"], abs=1e-6)
    pooling = mean_layer(open_model(run.model_path, dtype=torch.float32))
    assert pooling is not None
    assert not (run.path / "adapter").exists()
    assert torch.equal(pooling.attention.self.value.weight, torch.eye(pooling.attention.self.value.in_features))


def test_a_final_rank_that_is_not_less_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match=r"rank must be less than first_rank \(8\)"):
        create_method(MethodConfig(type="adalora", first_rank=8, rank=8))


@pytest.mark.parametrize(
    ("variant", "per_layer"),
    [
        ("houlsby", 2 * (2 * 4 * HIDDEN + HIDDEN + 4) + 2 * 2 * HIDDEN),
        ("pfeiffer", 2 * 4 * HIDDEN + HIDDEN + 4),
    ],
)
def test_adapters_have_as_many_weights_as_the_papers_say(variant: str, per_layer: int) -> None:
    _, model = prepared("adapter", size=4, variant=variant)
    assert trained_weights(model) == LAYERS * per_layer + HEAD


@pytest.mark.parametrize("variant", ["houlsby", "pfeiffer"])
def test_adapters_start_close_to_the_pretrained_model_and_then_change_every_layer(variant: str) -> None:
    _, model = prepared("adapter", size=4, variant=variant)
    ids = torch.arange(2, 26).reshape(2, 12)
    before = bert()(input_ids=ids, output_hidden_states=True).hidden_states
    close = model.eval()(input_ids=ids, output_hidden_states=True).hidden_states
    assert all(torch.allclose(one, two, atol=0.02) for one, two in zip(before, close, strict=True))
    with torch.no_grad():
        for name, value in model.named_parameters():
            if ".up." in name:
                value.normal_(std=0.5)
    far = model(input_ids=ids, output_hidden_states=True).hidden_states
    assert torch.equal(before[0], far[0])
    assert all(not torch.allclose(one, two, atol=0.02) for one, two in zip(before[1:], far[1:], strict=True))


@pytest.mark.parametrize(
    ("options", "per_layer"),
    [
        ({"length": 5}, 5 * 2 * HIDDEN),
        ({"length": 5, "projection": 7}, 5 * HIDDEN + 8 * 2 * HIDDEN + 7 * (HIDDEN + 1)),
    ],
)
def test_a_prefix_has_keys_and_values_in_every_layer(options: dict[str, int], per_layer: int) -> None:
    _, model = prepared("prefix", **options)
    assert trained_weights(model) == LAYERS * per_layer + HEAD


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_prefix_is_attended_to_like_tokens_with_those_keys_and_values(attention: str) -> None:
    _, model = prepared("prefix", length=3)
    model.eval().set_attn_implementation(attention)
    layer, plain = model.bert.encoder.layer[0].attention.self, bert().bert.encoder.layer[0].attention.self
    hidden, mask = torch.randn(2, 6, HIDDEN), torch.zeros(2, 1, 6, 6)
    mask[1, :, :, 4:] = float("-inf")
    keys, values = layer.prefix.view(3, 2, HIDDEN).unbind(1)
    own = [
        torch.cat([learnt.expand(2, -1, -1), part(hidden)], 1)
        for learnt, part in ((keys, plain.key), (values, plain.value))
    ]
    query, key, value = (each.unflatten(-1, (2, -1)).transpose(1, 2) for each in (plain.query(hidden), *own))
    scores = query @ key.transpose(2, 3) / (HIDDEN // 2) ** 0.5 + torch.nn.functional.pad(mask, (3, 0))
    expected = (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)
    assert torch.allclose(layer(hidden, attention_mask=mask)[0], expected, atol=1e-5)


def test_a_prompt_stands_after_the_first_token_and_changes_what_it_says() -> None:
    _, model = prepared("prompt", length=4)
    assert trained_weights(model) == 4 * HIDDEN + HEAD
    ids, mask = torch.arange(2, 14).reshape(2, 6), torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
    words = model.bert.embeddings.word_embeddings.embedding.weight
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.prompt.copy_(words[[20, 21, 22, 23]])
    spelt = torch.cat([ids[:, :1], torch.tensor([[20, 21, 22, 23]] * 2), ids[:, 1:]], dim=1)
    wider = torch.cat([mask[:, :1], torch.ones(2, 4, dtype=torch.int64), mask[:, 1:]], dim=1)
    with torch.inference_mode():
        answer = model.eval()(input_ids=ids, attention_mask=mask).logits
        assert torch.allclose(answer, bert()(input_ids=spelt, attention_mask=wider).logits, rtol=0, atol=1e-6)
        assert not torch.allclose(answer, bert()(input_ids=ids, attention_mask=mask).logits, rtol=0, atol=2e-5)


def test_a_prompt_that_leaves_the_text_no_room_is_one_clear_error(
    tiny_model: Path, made_up: Any, tmp_path: Path
) -> None:
    plain = {"data": {"source": "x.csv"}, "method": {"type": "prompt", "length": 20}}
    settings = parse_config(plain | {"model": {"source": str(tiny_model), "max_tokens": 16}})
    with pytest.raises(ConfigError, match=r"takes 20 positions, and texts of 16 tokens .* has 32"):
        tune(settings, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["adapter", "prefix", "prompt"])
def test_a_model_built_otherwise_has_no_place_for_them(name: str) -> None:
    with pytest.raises(ModelError, match="gpt2 has no place for"):
        prepared(name, gpt2())
