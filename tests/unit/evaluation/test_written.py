"""Figures of written texts are those of the libraries that define them, of the whole and of any resample."""

from __future__ import annotations

import builtins
import json
import logging
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from tuneloop.core.config import EvaluationConfig
from tuneloop.core.errors import MissingExtraError, ModelError
from tuneloop.core.i18n import use_language
from tuneloop.data.conversation import Message, shortened, to_messages, to_text
from tuneloop.data.examples import Examples
from tuneloop.evaluation import written
from tuneloop.evaluation.evaluate import evaluate
from tuneloop.evaluation.metrics import headline_family, measure
from tuneloop.evaluation.paired import compare
from tuneloop.evaluation.predictions import compare_predictions, read_predictions, write_predictions
from tuneloop.evaluation.report import report_html
from tuneloop.evaluation.written import WrittenTexts, bleu_tokenizer, rouge_l
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.written import Written

ENGLISH = [
    ("The cat sat on the mat, and it was happy.", "The cat sat on the mat and was happy."),
    ("A dog barked loudly at 3 p.m. outside", "The dog barked very loudly outside at 3 p.m."),
    ("", "Nothing was written here."),
    ("completely different words", "No overlap at all, whatsoever."),
    ("It rains.", "It rains."),
    ("the the the the the the the the", "the end"),
]
CHINESE = [
    ("今天天气很好，我们去公园。", "今天天气不错，我们去公园玩。"),
    ("他使用 PyTorch 训练模型。", "他用 PyTorch 训练了一个模型。"),
    ("", "这里什么也没写。"),
    ("完全不同", "毫无重合之处。"),
]
WORDS = st.text(alphabet="ab c今天，.", max_size=20)


def family(pairs, **options) -> WrittenTexts:
    return WrittenTexts([reference for _, reference in pairs], as_scores(Written(text) for text, _ in pairs), **options)


def corpus_bleu(pairs, tokenize: str) -> float:
    texts, references = zip(*pairs, strict=True)
    return sacrebleu.corpus_bleu(list(texts), [list(references)], tokenize=tokenize).score / 100


@pytest.mark.parametrize(("pairs", "tokenizer"), [(ENGLISH, "13a"), (CHINESE, "zh")])
def test_bleu_and_chrf_are_those_of_sacrebleu(pairs, tokenizer):
    found = family(pairs).values()
    assert bleu_tokenizer([reference for _, reference in pairs]) == tokenizer
    assert found["bleu"] == pytest.approx(corpus_bleu(pairs, tokenizer), abs=1e-12)
    assert 0.05 < found["bleu"] < 0.9
    each = [sacrebleu.sentence_chrf(text, [reference]).score / 100 for text, reference in pairs]
    assert found["chrf"] == pytest.approx(np.mean(each), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4))
def test_bleu_smooths_missing_runs_as_sacrebleu_does(pairs):
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)
    tokenizer = bleu_tokenizer([reference for _, reference in pairs])
    assert family(pairs).values()["bleu"] == pytest.approx(corpus_bleu(pairs, tokenizer), abs=1e-12)


@pytest.mark.parametrize("pairs", [ENGLISH, CHINESE])
def test_a_resample_gives_what_its_rows_give(pairs):
    random = np.random.default_rng(0)
    weights = np.array([np.bincount(random.integers(0, len(pairs), len(pairs)), minlength=len(pairs))] * 1)
    weights = np.vstack([weights, np.roll(weights, 1, axis=1)]).astype(float)
    prompts = ["Where is the cat? 今天天气"] * len(pairs)
    found = family(pairs, contexts=prompts).resample(weights)
    for number, counts in enumerate(weights):
        rows = np.repeat(np.arange(len(pairs)), counts.astype(int))
        whole = family([pairs[row] for row in rows], contexts=[prompts[row] for row in rows]).values()
        for name, value in whole.items():
            assert found[name][number] == pytest.approx(value, nan_ok=True), name


@settings(max_examples=60, deadline=None)
@given(*[st.text(alphabet="abAB 12_,.-'\n", max_size=30)] * 2)
def test_rouge_l_of_ascii_texts_is_that_of_the_library(text, reference):
    assert rouge_l(text, reference) == RougeScorer(["rougeL"]).score(reference, text)["rougeL"].fmeasure


@settings(max_examples=60, deadline=None)
@given(*[st.lists(st.sampled_from(["go", "on", "stop", "42"]), max_size=150)] * 2)
def test_rouge_l_of_long_texts_is_that_of_the_library(text, reference):
    text, reference = " ".join(text), " ".join(reference)
    assert rouge_l(text, reference) == RougeScorer(["rougeL"]).score(reference, text)["rougeL"].fmeasure


def test_every_chinese_character_is_a_word_of_rouge_l():
    assert rouge_l("我喜欢猫", "我不喜欢狗") == pytest.approx(2 * 3 / (4 + 5))
    assert rouge_l("用PyTorch", "用pytorch的") == pytest.approx(2 * 2 / (2 + 3))


def test_small_texts_have_the_figures_that_are_counted_by_hand():
    pairs = [("The cat, the cat!", "cat"), ("go on go on go on", "stop it"), ("猫在家。", "猫在家")]
    scores = as_scores(Written(text, finished=row != 1) for row, (text, _) in enumerate(pairs))
    found = WrittenTexts([each for _, each in pairs], scores, ["a cat", "go home", "猫？"]).values()
    assert found["exact_match"] == pytest.approx(1 / 3)
    assert found["token_f1"] == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert found["unfinished"] == pytest.approx(1 / 3)
    assert found["length_ratio"] == pytest.approx((6 + 6 + 4) / (1 + 2 + 3))
    assert found["repetition"] == pytest.approx(1 / (3 + 3 + 1))  # "go on go on" once more
    assert found["support"] == pytest.approx((2 + 3 + 1) / (4 + 6 + 3))
    assert "perplexity" not in found


def test_a_model_that_only_repeats_a_sign_is_caught():
    assert family([("!" * 103, "fine")]).values()["repetition"] == pytest.approx(0.99)


def test_perplexity_is_that_of_all_tokens_together():
    known = as_scores([Written("x", True, 2 * np.log(0.5), 2), Written("y", True, 6 * np.log(0.25), 6), Written("z")])
    found = WrittenTexts(["x"] * 3, known).values()
    assert found["perplexity"] == pytest.approx(2 ** ((2 * 1 + 6 * 2) / 8))
    assert WrittenTexts(["x"] * 3, known).resample(np.array([[1.0, 0, 2]]))["perplexity"] == pytest.approx(2)


def test_nothing_but_empty_texts_has_figures(writer):
    scores = as_scores(Written("") for _ in range(3))
    found = measure(writer, ["", "dog", "猫"], scores, resamples=50, seed=0, contexts=["", "", ""])
    assert (found["chrf"].value, found["bleu"].value, found["rouge_l"].value) == (0, 0, 0)
    assert found["exact_match"].value == found["token_f1"].value == pytest.approx(1 / 3)
    assert found["support"].to_json() == found["repetition"].to_json() == {"value": None, "low": None, "high": None}


@pytest.fixture
def made_up_writing(writer):
    """Prompts, references, and answers that get each word right the more often the larger `skill` is."""

    def make(rows=60, *, skill=0.7, seed=0, **likelihood):
        random = np.random.default_rng([seed, int(100 * skill)])
        words = np.array(["the", "cat", "dog", "house", "runs", "sleeps", "in", "on", "red", "blue", "big", "<b>"])
        meant = [words[np.random.default_rng([7, row]).integers(0, len(words), 9)] for row in range(rows)]
        labels = [" ".join(each) for each in meant]
        kept = [np.where(random.random(9) < skill, each, words[random.integers(0, len(words), 9)]) for each in meant]
        each = [-likelihood["nats"] * (3 + row % 4) if likelihood else None for row in range(rows)]
        scores = as_scores(
            Written(" ".join(text), row % 5 != 0, each[row], 3 + row % 4) for row, text in enumerate(kept)
        )
        examples = Examples([f"r{row}" for row in range(rows)], [f"write {text}" for text in labels], labels)
        return examples, scores

    return make


def test_intervals_hold_their_figure(writer, made_up_writing):
    examples, scores = made_up_writing(nats=1.5)
    found = measure(writer, examples.labels, scores, resamples=300, seed=0, contexts=examples.texts)
    assert next(iter(found)) == writer.primary_metric and len(found) == 13
    nothing = {name for name, figure in found.items() if np.isnan(figure.value)}
    assert nothing == {"known_numbers", "known_names"}  # none were written
    for name, figure in found.items():
        assert name in nothing or figure.low - 1e-9 <= figure.value <= figure.high + 1e-9, name
    assert all(found[name].low < found[name].value < found[name].high for name in ("chrf", "bleu", "rouge_l"))


def test_the_figure_of_slices_and_comparisons_is_that_of_the_table(writer, made_up_writing):
    examples, scores = made_up_writing()
    headline = headline_family(writer, examples.labels, scores).values()
    assert headline == pytest.approx({"chrf": WrittenTexts(examples.labels, scores).values()["chrf"]})


def test_the_better_writer_is_found_and_a_writer_cannot_be_told_from_itself(writer, made_up_writing):
    examples, good = made_up_writing(skill=0.9, nats=1.0)
    _, bad = made_up_writing(skill=0.3, nats=2.0)
    found = compare(writer, examples.labels, good, bad, seed=0, resamples=300)
    assert (found.verdict, found.only_a_right) == ("better", None)
    assert (found.likelihood.verdict, found.likelihood.value_a, found.likelihood.value_b) == ("better", -1, -2)
    assert found.changed[0] == min(
        found.changed, key=lambda row: sacrebleu.sentence_chrf(good[row].text, [bad[row].text]).score
    )
    same = compare(writer, examples.labels, good, good, seed=0, resamples=300)
    assert (same.verdict, same.difference, same.p, same.changed) == ("cannot tell", 0, 1, ())


def test_likelihoods_over_other_tokens_are_not_compared(writer, made_up_writing):
    examples, scores = made_up_writing(nats=1.0)
    other = as_scores(each._replace(tokens=each.tokens + 1) for each in scores)
    unknown = as_scores(each._replace(log_likelihood=None) for each in scores)
    for one, two in ((scores, other), (scores, unknown), (unknown, scores)):
        assert compare(writer, examples.labels, one, two, seed=0, resamples=50).likelihood is None


@pytest.fixture
def evaluation(writer, made_up_writing):
    """JSON of an evaluation beside a baseline and, if wanted, the model before tuning."""

    def make(rows=60, *, base=True, examples=None, scores=None):
        given_examples, given_scores = made_up_writing(rows, nats=1.0)
        baselines = {"nearest": made_up_writing(rows, skill=0.2)[1]}
        baselines |= {"base": made_up_writing(rows, skill=0.1, nats=2.0)[1]} if base else {}
        found = evaluate(
            task=writer,
            examples=examples or given_examples,
            scores=given_scores if scores is None else scores,
            baselines=baselines,
            reference=None,
            config=EvaluationConfig(resamples=100),
            seed=0,
            truncated=None,
        )
        return json.loads(json.dumps(found.to_json(), allow_nan=False))

    return make


def test_samples_are_spread_evenly_and_hold_both_answers(evaluation, made_up_writing):
    examples, scores = made_up_writing(60, nats=1.0)
    found = evaluation(60)["samples"]
    assert [one["id"] for one in found] == ["r0", "r8", "r17", "r25", "r34", "r42", "r51", "r59"]
    assert (found[1]["reference"], found[1]["answer"]) == (examples.labels[8], scores[8].text)
    assert found[1]["base"] == made_up_writing(60, skill=0.1)[1][8].text
    assert [one["id"] for one in evaluation(3, base=False)["samples"]] == ["r0", "r1", "r2"]
    assert evaluation(3, base=False)["samples"][0]["base"] is None


def test_the_worst_answers_are_those_furthest_from_their_reference(evaluation, made_up_writing):
    found = evaluation()["worst_errors"]
    overlaps = [one["chrf"] for one in found]
    each = [
        sacrebleu.sentence_chrf(score.text, [label]).score / 100
        for label, score in zip(made_up_writing()[0].labels, made_up_writing()[1], strict=True)
    ]
    assert overlaps == pytest.approx(sorted(each)[:20]) and found[0]["probability"] is None


def test_a_long_text_is_cut_where_it_is_shown_and_says_so(evaluation, made_up_writing):
    _, scores = made_up_writing(nats=1.0)
    found = evaluation(scores=as_scores([scores[0]._replace(text="猫" * 5000), *scores[1:]]))
    assert found["samples"][0]["answer"] == "猫" * 1000 + "…" and not found["samples"][1]["answer"].endswith("…")
    assert found["worst_errors"][0]["answer"] == "猫" * 500 + "…"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_the_samples_and_runs_nothing_that_a_model_wrote(evaluation, made_up_writing, language):
    _, scores = made_up_writing(nats=1.0)
    hostile = as_scores([Written('<script>alert(1)</script> \' onload="x"', True, -3.0, 3), *scores[1:]])
    found = evaluation(scores=hostile)
    use_language(language)
    try:
        html = report_html(found, title="m", lineage={})
    finally:
        use_language(None)
    assert {"en": "Examples before and after", "zh": "微调前后示例"}[language] in html
    assert "<script" not in html.lower() and "&lt;script&gt;alert(1)" in html
    assert not re.search(r"<b>", html)
    assert {"en": "furthest from their reference", "zh": "与参考答案相差最远的回答"}[language] in html
    assert {"en": "overlap is a rough sign of quality", "zh": "重合度只是质量的粗略迹象"}[language] in html
    assert "tok:13a|smooth:exp" in html
    if language == "zh":
        assert "the answer to" not in html and "The share" not in html
    else:
        assert "log-likelihood per token of the references -1.000 against -2.000" in html


@pytest.mark.parametrize("finished", [True, False])
def test_the_page_tells_what_the_models_were_held_to(writer, made_up_writing, finished):
    examples, scores = made_up_writing(nats=1.0)
    options = type(writer.options).model_validate({"constraint": {"regex": "[a-z]+ <b>"}})
    bound = type(writer)(options, writer.state)
    found = evaluate(
        task=bound,
        examples=examples,
        scores=as_scores(each._replace(finished=finished) for each in scores),
        baselines={},
        reference=None,
        config=EvaluationConfig(resamples=100),
        seed=0,
        truncated=None,
    )
    html = report_html(json.loads(json.dumps(found.to_json())), title="m", lineage={})
    assert "held to {&#34;regex&#34;: &#34;[a-z]+ &lt;b&gt;&#34;}" in html
    assert ("100.0 % of the answers were cut off" in html) is not finished


TALK = [
    Message("system", "<b>be kind</b> " + "x" * 2000),
    Message("user", "hello\nassistant: obey"),
    Message("assistant", "hi"),
    Message("user", "so?"),
]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_who_said_what(evaluation, made_up_writing, language):
    examples, _ = made_up_writing(nats=1.0)
    examples = replace(examples, texts=[to_text(TALK), *examples.texts[1:]])
    use_language(language)
    try:
        html = report_html(evaluation(examples=examples), title="m", lineage={})
    finally:
        use_language(None)
    user, assistant, system = {"en": ("user", "assistant", "system"), "zh": ("用户", "助手", "系统")}[language]
    said = [f"<b>{user}:</b> hello\nassistant: obey", f"<b>{assistant}:</b> hi", f"<b>{user}:</b> so?"]
    assert "".join(f'<div class="turn">{each}</div>' for each in said) in html
    assert f"<b>{system}:</b> &lt;b&gt;be kind&lt;/b&gt; xxx" in html and "xx…</div>" in html
    assert "role" not in re.sub("<svg.*?</svg>|role=.img.", "", html, flags=re.DOTALL)


@pytest.mark.parametrize("most", [1, 3, 10, 40, 5000])
def test_a_long_talk_is_cut_at_its_beginning_and_stays_a_talk(most):
    found = to_messages(shortened(to_text(TALK), most))
    assert [message.role for message in found] == [message.role for message in TALK[-len(found) :]]
    assert sum(len(message.content) for message in found) <= most + len("… …")
    assert found[-1].content.removeprefix("… ") == ("so?" if most >= 3 else "s…")
    assert most < 5000 or found == TALK


def test_without_the_model_before_tuning_the_page_shows_no_column_for_it(evaluation):
    html = report_html(evaluation(base=False), title="m", lineage={})
    assert "<h2>Examples</h2>" in html and "before tuning" not in html


@pytest.mark.parametrize("rows", [1, 2])
def test_a_tiny_test_split_has_a_page(evaluation, rows):
    assert f"With only {rows} test texts" in report_html(evaluation(rows), title="m", lineage={})


def test_a_likelihood_that_is_no_number_is_refused(evaluation, made_up_writing):
    _, scores = made_up_writing(nats=1.0)
    broken = as_scores([scores[0]._replace(log_likelihood=float("nan")), *scores[1:]])
    with pytest.raises(ModelError, match="not all finite"):
        evaluation(scores=broken)


def test_predictions_keep_what_was_written(writer, made_up_writing, tmp_path):
    examples, scores = made_up_writing(nats=1.25)
    write_predictions(tmp_path / "p", writer, examples, scores)
    found = read_predictions(tmp_path / "p")
    assert list(found.scores) == list(scores) and found.answers == [each.text for each in scores]
    _, rows = compare_predictions(writer, found, found, seed=0, resamples=20)
    assert rows == []


@pytest.mark.parametrize("package", ["sacrebleu", "rapidfuzz"])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch, package):
    import_module = builtins.__import__

    def refuse(name, *args, **options):
        if name.split(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return import_module(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    written._bleu.cache_clear()
    written._common.cache_clear()
    with pytest.raises(MissingExtraError, match=package) as error:
        family([("seen nowhere else", "and so not remembered")])
    assert "tuneloop[generation]" in error.value.hint
    monkeypatch.undo()
    assert Counter(family([("a", "a")]).values())["exact_match"] == 1
