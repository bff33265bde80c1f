"""Answers written side by side: the same as alone, whoever comes and goes beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuneloop.inference.continuous import ContinuousBatch, Draft, Limits, NoMemory, Piece, QueueFull
from tuneloop.inference.decoding import Decoding

NO_END = 10_000
"""No token of the tiny model: answers go on to their limit."""


@pytest.fixture(scope="module")
def model(chat_model: Path):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(chat_model, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def learned_places(gpt: Path):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(gpt, dtype=torch.float32).eval()


def batch_of(model, *, ends: set[int] | None = None, **limits: int) -> ContinuousBatch:
    return ContinuousBatch(
        model, ends=ends or {NO_END}, text_of=lambda ids: " ".join(map(str, ids)), limits=Limits(**limits)
    )


def prompts(model, count: int, *, longest: int = 20, seed: int = 0) -> list[list[int]]:
    random = np.random.default_rng(seed)
    words = model.config.vocab_size
    return [random.integers(4, words, size=random.integers(1, longest)).tolist() for _ in range(count)]


def finish(batch: ContinuousBatch) -> list[tuple[Draft, Piece]]:
    told = []
    while batch.running or batch.waiting:
        told += batch.step()
    return told


@pytest.fixture(scope="module")
def singles(model) -> list[tuple[list[int], list[int]]]:
    """Prompts, some of which begin alike, with what `generate` writes to each."""
    asked = prompts(model, 6, seed=9) + [list(range(4, 22)) + tail for tail in prompts(model, 6, longest=4, seed=10)]
    return [(prompt, alone(model, prompt, max_new_tokens=7, do_sample=False)) for prompt in asked]


def alone(model, prompt: list[int], **settings) -> list[int]:
    ids = torch.tensor([prompt])
    ends = settings.pop("eos_token_id", None)
    with torch.inference_mode():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), eos_token_id=ends, pad_token_id=0, **settings)
    return out[0, len(prompt) :].tolist()


@pytest.mark.parametrize("which", ["model", "learned_places"])
def test_answers_that_join_at_different_steps_are_those_of_generate(which, request):
    model = request.getfixturevalue(which)
    drafts = [Draft(each, Decoding(3 + number)) for number, each in enumerate(prompts(model, 7))]
    batch = batch_of(model, sequences=4)
    for draft in drafts:
        batch.add(draft)
        batch.step()
        assert batch.running <= 4
    finish(batch)
    for draft in drafts:
        expected = alone(model, draft.prompt, max_new_tokens=draft.decoding.max_tokens, do_sample=False)
        assert draft.ids == expected, draft.prompt


def test_an_answer_ends_at_an_end_and_leaves_at_once(model):
    prompt = [5, 9, 13]
    whole = alone(model, prompt, max_new_tokens=12, do_sample=False)
    end = whole[5]
    short, long = Draft(prompt, Decoding(12)), Draft(prompt[:2], Decoding(12))
    batch = batch_of(model, ends={end})
    batch.add(short)
    batch.add(long)
    pieces = [piece for draft, piece in finish(batch) if draft is short]
    assert short.ids == whole[: whole.index(end)] and pieces[-1].finish == "stop"
    assert short.chosen_tokens == len(short.ids) + 1
    assert "".join(piece.text for piece in pieces) == " ".join(map(str, short.ids))


def test_the_penalty_of_repetitions_is_that_of_transformers(model):
    for prompt in prompts(model, 4, seed=1):
        draft = Draft(prompt, Decoding(10, repetition_penalty=1.7))
        batch = batch_of(model)
        batch.add(draft)
        finish(batch)
        assert draft.ids == alone(model, prompt, max_new_tokens=10, do_sample=False, repetition_penalty=1.7)


def test_chance_hangs_on_the_seed_and_not_on_the_neighbours(model):
    chance = Decoding(10, temperature=1.3, top_p=0.9, top_k=12, seed=7)
    lonely = Draft([5, 6, 7], chance)
    batch = batch_of(model)
    batch.add(lonely)
    finish(batch)
    crowd = [Draft(each, Decoding(6, temperature=2.0)) for each in prompts(model, 5, seed=3)]
    beside, other = Draft([5, 6, 7], chance), Draft([5, 6, 7], Decoding(10, temperature=1.3, seed=8))
    batch = batch_of(model)
    for draft in (*crowd[:3], beside, *crowd[3:], other):
        batch.add(draft)
        batch.step()
    finish(batch)
    assert beside.ids == lonely.ids != other.ids
    assert len({tuple(draft.ids) for draft in crowd}) > 1


def test_what_is_drawn_has_the_shares_of_the_model():
    from tuneloop.inference.decoding import Chooser

    logits = torch.tensor([0.4, 0.3, 0.2, 0.06, 0.04]).log()

    def drawn(**settings) -> np.ndarray:
        chooser = Chooser(Decoding(1, temperature=1.0, seed=0, **settings), [0], None)
        return np.bincount([chooser.choose(logits).token_id for _ in range(2000)], minlength=5) / 2000

    assert drawn() == pytest.approx([0.4, 0.3, 0.2, 0.06, 0.04], abs=0.04)
    assert drawn(top_p=0.75) == pytest.approx([4 / 9, 3 / 9, 2 / 9, 0, 0], abs=0.04)
    assert drawn(top_k=2) == pytest.approx([4 / 7, 3 / 7, 0, 0, 0], abs=0.04)
    assert drawn(top_p=0.1).tolist() == [1, 0, 0, 0, 0]


def test_a_beginning_that_comes_again_is_computed_once(model):
    shared = prompts(model, 1, seed=5, longest=2)[0] + list(range(4, 24))
    asked = [[*shared, *tail] for tail in prompts(model, 4, longest=6, seed=6)]
    figures = {}
    for kept in (0, 500):
        batch = batch_of(model, prefix_tokens=kept)
        drafts = [Draft(each, Decoding(8)) for each in [*asked, shared, asked[0]]]
        for draft in drafts:
            batch.add(draft)
            batch.step()
        finish(batch)
        figures[kept] = batch.computed_tokens, [draft.ids for draft in drafts], [d.reused_tokens for d in drafts]
    assert figures[0][1] == figures[500][1]
    assert figures[0][2] == [0] * 6
    assert all(len(shared) - 1 <= reused for reused in figures[500][2][1:])
    assert figures[0][0] - figures[500][0] == sum(figures[500][2]) > 5 * 20 - 5


def test_prefixes_are_bounded_and_the_oldest_go_first(model):
    batch = batch_of(model, prefix_tokens=50)
    asked = [[word] * 20 for word in (5, 6, 7)]
    for prompt in (*asked[:2], asked[0], asked[2]):
        batch.add(Draft(prompt, Decoding(1)))
        batch.step()
        assert batch._prefixes.tokens <= 50
    again = [Draft(prompt, Decoding(1)) for prompt in asked]
    for draft in again:
        batch.add(draft)
        batch.step()
    assert [draft.reused_tokens for draft in again][:2] == [19, 0]  # 6 was used longest ago


def test_no_more_wait_and_run_than_allowed(model):
    batch = batch_of(model, sequences=2, waiting_tokens=10)
    drafts = [Draft([5] * 4, Decoding(6)) for _ in range(6)]
    for draft in drafts[:2]:
        batch.add(draft)
    with pytest.raises(QueueFull):
        batch.add(drafts[2])
    batch.step()
    for draft in drafts[2:4]:
        batch.add(draft)
    with pytest.raises(QueueFull):
        batch.add(drafts[4])
    batch.step()
    assert (batch.running, batch.waiting, batch.waiting_tokens) == (2, 2, 8)
    batch.cancel(drafts[0])
    batch.cancel(drafts[2])
    assert (batch.waiting, batch.waiting_tokens) == (1, 4)
    batch.step()
    assert (batch.running, batch.waiting) == (2, 0)
    finish(batch)
    assert [len(draft.ids) for draft in drafts[:4]] == [2, 6, 0, 6]


def test_the_keys_and_values_of_all_answers_stay_within_their_limit(model):
    batch = batch_of(model, tokens=40)
    drafts = [Draft([5] * length, Decoding(10)) for length in (10, 10, 3, 35)]
    for draft in drafts:
        batch.add(draft)
    most = 0
    while batch.running or batch.waiting:
        batch.step()
        if batch.running > 1:
            most = max(most, batch._known.mask.numel())
    assert 0 < most <= 40
    assert all(len(draft.ids) == 10 for draft in drafts)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["add", "step", "cancel"]), st.integers(0, 11)), max_size=40))
def test_whoever_comes_and_goes_the_others_are_answered_as_alone(model, singles, events):
    batch, drafts = batch_of(model, sequences=3, tokens=120, prefix_tokens=60), []
    for kind, number in events:
        if kind == "add":
            prompt, _ = singles[number]
            drafts.append(Draft(prompt, Decoding(3 + number % 5)))
            batch.add(drafts[-1])
        elif kind == "cancel" and drafts:
            batch.cancel(drafts[number % len(drafts)])
        else:
            batch.step()
    finish(batch)
    assert (batch.running, batch.waiting, batch.waiting_tokens, batch._known.cache) == (0, 0, 0, None)
    for draft in drafts:
        expected = next(ids for prompt, ids in singles if prompt == draft.prompt)[: draft.decoding.max_tokens]
        assert draft.ids == (expected[: len(draft.ids)] if draft.cancelled else expected)


def test_a_prompt_on_which_the_model_fails_fails_alone(model):
    good, bad = Draft([5, 6], Decoding(6)), Draft([NO_END], Decoding(6))
    batch = batch_of(model)
    batch.add(good)
    batch.step()
    batch.add(bad)
    told = finish(batch)
    assert next(piece.error for draft, piece in told if draft is bad) is not None
    assert good.ids == alone(model, [5, 6], max_new_tokens=6, do_sample=False)


def lacking(model, steps: set[int], error: Exception):
    """A hook: in these steps of answers there is no memory in the second layer, when the first has its new tokens."""
    passed = []

    def fail(module, given):
        if given[0].shape[1] == 1:
            passed.append(None)
            if len(passed) in steps:
                raise error

    return model.model.layers[1].register_forward_pre_hook(fail)


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate memory: you tried to"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_without_memory_the_newest_answer_ends_and_the_others_are_as_alone(model, error):
    asked = [Draft(each, Decoding(8)) for each in prompts(model, 4, seed=3)]
    batch, told = batch_of(model), []
    for draft in asked:
        batch.add(draft)
        told += batch.step()  # so that their lengths differ
    hook = lacking(model, {1, 4, 5}, error)  # twice in one step, where two have to go
    try:
        told += finish(batch)
    finally:
        hook.remove()
    ended = [draft for draft, piece in told if isinstance(piece.error, NoMemory)]
    assert ended == [asked[3], asked[2], asked[1]]
    expected = [alone(model, draft.prompt, max_new_tokens=8, do_sample=False) for draft in asked]
    assert asked[0].ids == expected[0]
    for draft, whole in zip(asked[1:], expected[1:], strict=True):
        assert 0 < len(draft.ids) < 8 and draft.ids == whole[: len(draft.ids)]
    again = Draft(asked[3].prompt, Decoding(8))
    batch.add(again)
    finish(batch)
    assert again.ids == expected[3]


def test_a_single_answer_without_memory_ends_and_the_next_prompt_is_read(model):
    first, second = (Draft(each, Decoding(4)) for each in ([5, 6], [7, 8, 9]))
    batch = batch_of(model, sequences=1)
    batch.add(first, second)
    hook = lacking(model, {1}, OUT_OF_MEMORY[0])
    try:
        told = finish(batch)
    finally:
        hook.remove()
    assert [draft for draft, piece in told if isinstance(piece.error, NoMemory)] == [first]
    assert second.ids == alone(model, [7, 8, 9], max_new_tokens=4, do_sample=False)


def test_any_other_failure_of_a_step_is_no_lack_of_memory(model):
    batch = batch_of(model)
    batch.add(Draft([5, 6], Decoding(4)))
    hook = lacking(model, {1}, RuntimeError("shapes do not fit"))
    try:
        with pytest.raises(RuntimeError, match="shapes"):
            finish(batch)
    finally:
        hook.remove()


class OneOf:
    """The answer is 7, then 8 or 9, then nothing."""

    def __init__(self, words: int) -> None:
        self.words, self.taken = words, []

    @property
    def finished(self) -> bool:
        return len(self.taken) == 2

    def allowed(self):
        may = np.zeros(self.words, dtype=bool)
        may[[7] if not self.taken else [8, 9]] = True
        return may

    def accept(self, token_id: int) -> None:
        self.taken.append(token_id)


class Broken(OneOf):
    def accept(self, token_id: int) -> None:
        raise ValueError("broken")


def test_a_constraint_rules_its_own_answer_alone(model):
    free, bound, broken = Draft([5, 6], Decoding(8)), Draft([5, 6], Decoding(8)), Draft([5, 6], Decoding(8))
    bound.constraint, broken.constraint = OneOf(12), Broken(12)
    batch = batch_of(model)
    for draft in (free, bound, broken):
        batch.add(draft)
    told = finish(batch)
    assert bound.ids[0] == 7 and bound.ids[1] in (8, 9) and len(bound.ids) == 2 and bound.constraint.taken == bound.ids
    assert [piece.finish for draft, piece in told if draft is bound] == ["", "stop"]
    assert free.ids == alone(model, [5, 6], max_new_tokens=8, do_sample=False)
    assert isinstance(next(piece.error for draft, piece in told if draft is broken), ValueError)


def test_log_probabilities_are_those_of_the_model(model):
    draft = Draft([5, 6, 7], Decoding(3, likeliest=2))
    batch = batch_of(model)
    batch.add(draft)
    choices = [choice for _, piece in finish(batch) for choice in piece.choices]
    ids = torch.tensor([[5, 6, 7, *draft.ids]])
    with torch.inference_mode():
        known = model(ids).logits[0].log_softmax(dim=-1)
    for place, choice in enumerate(choices, 2):
        assert choice.log_probability == pytest.approx(float(known[place, choice.token_id]), abs=1e-5)
        assert [number for number, _ in choice.likeliest] == known[place].topk(2).indices.tolist()
