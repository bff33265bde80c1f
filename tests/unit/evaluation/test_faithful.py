"""How far answers keep to their context: as the paper defines it, and as a person counts it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.core.config import EvaluationConfig
from tuneloop.core.errors import DataError
from tuneloop.data.conversation import Message, to_text
from tuneloop.data.examples import Examples
from tuneloop.evaluation.evaluate import evaluate
from tuneloop.evaluation.faithful import contexts_of, faithfulness, fragments, names_of
from tuneloop.evaluation.means import Ratios
from tuneloop.evaluation.report import report_html
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.written import Written


def grusky(summary: list[str], article: list[str]) -> list[int]:
    """The fragments by the procedure of the paper (figure 2), word by word."""
    found, i = [], 0
    while i < len(summary):
        best, j = 0, 0
        while j < len(article):
            if summary[i] == article[j]:
                start, here = j, i
                while here < len(summary) and j < len(article) and summary[here] == article[j]:
                    here, j = here + 1, j + 1
                best = max(best, here - i)
                j = start + 1
            else:
                j += 1
        found += [best] if best else []
        i += max(best, 1)
    return found


WORDS = st.lists(st.sampled_from("abcd"), max_size=14)


@settings(max_examples=300, deadline=None)
@given(WORDS, WORDS)
def test_fragments_are_those_of_the_paper(summary, article):
    assert fragments(summary, article) == grusky(summary, article)


def test_figures_are_those_that_a_person_counts():
    context = "Mrs. Ada Byron ordered 1,000 red chairs on 3 May."
    answer = "Ada ordered 1000 chairs. Byron paid 2.5 million to NASA."
    found = Ratios(faithfulness([answer], [context])).values()
    # of 11 words ada, ordered, chairs, byron stand there; "ada ordered" is no run of the context
    assert found["support"] == pytest.approx(4 / 11) and found["density"] == pytest.approx(4 / 11)
    assert found["known_numbers"] == pytest.approx(1 / 2)  # 1000, but not 2.5
    assert names_of(answer) == ["nasa"] and found["known_names"] == 0
    assert Ratios(faithfulness(["Then Ada Byron ordered"], [context])).values() == pytest.approx(
        {"support": 3 / 4, "density": 9 / 4, "known_numbers": float("nan"), "known_names": 1}, nan_ok=True
    )


def test_chinese_is_counted_by_characters_and_has_no_names():
    found = Ratios(faithfulness(["他在３天内到北京。"], ["北京：3天"])).values()
    assert found["support"] == pytest.approx(3 / 8)  # 天, 北, 京
    assert Ratios(faithfulness(["三十天，三万元"], ["30天"])).values()["known_numbers"] == 0.5
    assert found["known_numbers"] == 1 and np.isnan(found["known_names"])


def test_names_are_found_as_they_are_written():
    assert names_of('I saw "Ada". She met iPhone and NASA.\nNASA: Yes, I know Émile') == [
        "iphone", "nasa", "nasa", "émile",
    ]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=60)), min_size=1, max_size=4))
def test_a_share_is_a_share_and_a_copy_is_supported_wholly(pairs):
    texts, contexts = zip(*pairs, strict=True)
    found = Ratios(faithfulness(texts, contexts)).values()
    assert all(np.isnan(found[name]) or 0 <= found[name] <= 1 for name in ("support", "known_numbers", "known_names"))
    assert np.isnan(found["density"]) or found["density"] >= found["support"] - 1e-12
    same = Ratios(faithfulness(texts, [f"a {text} b" for text in texts])).values()
    assert all(np.isnan(same[name]) or same[name] == 1 for name in ("support", "known_names"))


def test_the_page_tells_the_figures_of_the_references_too(writer):
    rows = 20
    prompts = [to_text([Message("system", f"Ada has {n} cats."), Message("user", "How many?")]) for n in range(rows)]
    examples = Examples(list(map(str, range(rows))), prompts, [f"So Ada has {n}." for n in range(rows)])
    examples.columns["notes"] = [f"{n} cats" if n % 2 else None for n in range(rows)]

    def measured(**config):
        return evaluate(
            task=writer,
            examples=examples,
            scores=as_scores(Written("There are 7 cats, says Bob.") for _ in range(rows)),
            baselines={},
            reference=None,
            config=EvaluationConfig(resamples=100, **config),
            seed=0,
            truncated=None,
        ).to_json()

    found = measured()
    assert found["answers"]["known_numbers"] == {"value": 1, "low": 1, "high": 1}
    assert found["metrics"]["known_numbers"]["value"] == 1 / rows
    assert found["metrics"]["known_names"]["value"] == 0 and found["answers"]["known_names"]["value"] == 1
    html = report_html(found, title="m", lineage={})
    assert ">the references</th>" in html and "answers need not have more of it" in html
    by_column = measured(context="notes")
    assert by_column["answers"]["known_numbers"]["value"] == 0.5 and by_column["settings"]["context"] == "notes"
    with pytest.raises(DataError, match=r'evaluation\.context: there is no column "note"'):
        contexts_of(examples, "note")
