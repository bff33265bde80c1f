from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuneloop.core.errors import ConfigError
from tuneloop.models.template import TemplateTokenizer, open_tokenizer

CLS, SEP, MASK, GOOD, BAD, A = 2, 3, 21, 4, 5, 6


def rows(tokenizer: TemplateTokenizer, *inputs: str | tuple[str, str]) -> list[list[int]]:
    tokens = tokenizer.encode(list(inputs))
    return [tokens.ids[start:end].tolist() for start, end in zip(tokens.offsets, tokens.offsets[1:], strict=False)]


def test_the_text_stands_in_the_template_between_the_special_tokens(tiny_model: Path) -> None:
    tokenizer = TemplateTokenizer(tiny_model, 16, "a {text} b {mask}")
    assert rows(tokenizer, "good bad", "good") == [
        [CLS, A, GOOD, BAD, A + 1, MASK, SEP],
        [CLS, A, GOOD, A + 1, MASK, SEP],
    ]


def test_a_pair_has_its_own_place(tiny_model: Path) -> None:
    tokenizer = TemplateTokenizer(tiny_model, 16, "{pair} {mask} {text}")
    assert rows(tokenizer, ("good", "bad")) == [[CLS, BAD, MASK, GOOD, SEP]]


@given(st.integers(0, 20), st.integers(0, 20), st.integers(8, 24))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_the_texts_are_cut_and_the_longer_one_first(tiny_model: Path, first: int, second: int, most: int) -> None:
    tokenizer = TemplateTokenizer(tiny_model, most, "{text} a {mask} {pair}")
    tokens = tokenizer.encode([(" ".join(["good"] * first), " ".join(["bad"] * second))])
    ids = tokens.ids.tolist()
    kept = [ids.count(GOOD), ids.count(BAD)]
    assert len(ids) <= most
    assert ids.count(MASK) == ids.count(A) == 1 and ids[0] == CLS and ids[-1] == SEP
    assert bool(tokens.truncated[0]) == (kept != [first, second]) == (first + second + 4 > most)
    if tokens.truncated[0]:
        assert len(ids) == most
        assert kept[0] >= min(first, (most - 4) // 2) and kept[1] >= min(second, (most - 4) // 2)


def test_the_cache_tells_templates_apart(tiny_model: Path) -> None:
    identities = {
        open_tokenizer(tiny_model, 16, template).identity for template in ("", "{text} {mask}", "{mask} {text}")
    }
    assert len(identities) == 3


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{text}", "once each"),
        ("{mask}", "once each"),
        ("{text} {text} {mask}", "once each"),
        ("{text} {mask} a b c d e f g h i j", "takes 13 tokens of 16"),
    ],
)
def test_a_template_that_cannot_work_is_refused(tiny_model: Path, template: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        TemplateTokenizer(tiny_model, 16, template)


def test_a_model_that_writes_on_is_asked_at_the_end(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((tiny_model / "tokenizer.json").read_bytes())
    tokenizer = TemplateTokenizer(tmp_path, 16, "{text} a {mask}")  # no tokenizer_config.json names a mask token
    assert rows(tokenizer, "good") == [[CLS, GOOD, A]]
    with pytest.raises(ConfigError, match="not the end"):
        TemplateTokenizer(tmp_path, 16, "{mask} {text}")


def test_lone_surrogates_do_not_stop_it(tiny_model: Path) -> None:
    found = TemplateTokenizer(tiny_model, 16, "{text} {mask}").encode(["\ud800 good"])
    assert GOOD in found.ids
    assert found.ids.dtype == np.int32
