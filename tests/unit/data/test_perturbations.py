from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tuneloop.core.errors import ConfigError
from tuneloop.data.perturbations import PERTURBATIONS
from tuneloop.data.perturbations.base import available, create_perturbations, script_of
from tuneloop.data.perturbations.homophones import near_sounds
from tuneloop.data.perturbations.wordnet import open_wordnet

ENGLISH = "I really don't like their quiet room, it was to slow and the weather is bad :("
CHINESE = "酒店的房间很干净，服务态度非常好，价格280元，下次还会来。"
TRADITIONAL = "酒店的房間很乾淨"
PACKAGES = {"OpenCC": "opencc", "pypinyin": "pypinyin"}


def perturbed(name: str, text: str, seed: int = 0) -> str:
    kind = PERTURBATIONS.get(name)
    if kind.needs == "WordNet":
        pytest.skip("needs WordNet")
    if kind.needs:
        pytest.importorskip(PACKAGES[kind.needs])
    (made,) = create_perturbations([name])
    assert made.name == name
    return made.perturb(text, np.random.default_rng(seed))


@pytest.mark.parametrize("name", PERTURBATIONS.names())
def test_each_changes_a_text_of_its_script_alike_for_the_same_draw_and_leaves_nothing_as_it_is(name: str) -> None:
    kind = PERTURBATIONS.get(name)
    text = {"zh": CHINESE, "en": ENGLISH, "any": CHINESE}[kind.script]
    text = TRADITIONAL if name == "simplified" else text
    after = perturbed(name, text)
    assert after != text
    assert after == perturbed(name, text)
    if name not in ("emoji", "suffix", "end_mark"):
        assert perturbed(name, "") == ""


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("contractions", "I don't know, you're late", "I do not know, you are late"),
        ("contractions", "We are not sure that is what they are", "We're not sure that is what they are"),
        ("lower_case", "Good Room", "good room"),
        ("no_punctuation", "Fine, 3.5 stars :) see https://example.com/a.", "Fine 3.5 stars :) see https://example.com/a."),
        ("end_mark", "很好", "很好。"),
        ("end_mark", "Fine!!", "Fine"),
        ("traditional", "干净的房间", "乾淨的房間"),
        ("width", "价格280元", "价格２８０元"),
        ("swapped_characters", "好房", "房好"),
        ("negation", "I love this room.", "I do not love this room."),
        ("negation", "The room is clean", "The room is not clean"),
        ("negation", "The room is not clean", "The room is not clean"),
        ("negation", "房间非常干净", "房间不干净"),
        ("negation", "没有热水", "没有热水"),
        ("negation", "所有菜都好吃", "所有菜都好吃"),
        ("negation", "主要是服务好", "主要不是服务好"),
        ("negation", "很有想象力", "没有想象力"),
        ("negation", "想象力丰富", "想象力丰富"),
        ("negation", "这是一个好机会", "这不是一个好机会"),
        ("negation", "机会难得", "机会难得"),
        ("negation", "房间太小了。", "房间不小。"),
        ("negation", "太阳很大", "太阳不大"),
        ("negation", "这里有温泉", "这里没有温泉"),
        ("negation", "我会再来", "我不会再来"),
        ("negation", "我喜欢这里", "我不喜欢这里"),
    ],
)  # fmt: skip
def test_a_change_is_the_one_that_its_name_says(name: str, before: str, after: str) -> None:
    assert perturbed(name, before) == after


def test_addresses_names_and_tags_are_never_touched() -> None:
    text = "@somebody #wonderful https://example.com/wonderful"
    assert [perturbed(name, text, seed) for name in ("typos", "keyboard") for seed in range(5)] == [text] * 10


def test_a_homophone_sounds_the_same_and_a_near_sound_does_not() -> None:
    pinyin = pytest.importorskip("pypinyin").lazy_pinyin
    for seed in range(5):
        assert pinyin(perturbed("homophones", "酒", seed)) == ["jiu"]
    assert pinyin(perturbed("near_sounds", "张"))[0] in ("zang", "zhan")
    assert near_sounds("nan") == ["lan", "nang"]


def test_the_script_of_a_text_is_that_of_most_of_its_words() -> None:
    assert [script_of(text) for text in (ENGLISH, CHINESE, "这款 iPhone 很好用", "280 :)")] == ["en", "zh", "zh", ""]


def write_wordnet(folder: Path) -> None:
    """Two adjectives of one meaning, one of which has another that is as common."""
    lines = ["00000000 00 a 02 glad 0 happy 0 000 | joy  ", "00000000 00 a 02 glad 0 bright 0 000 | light  "]
    offsets = [0, len(lines[0]) + 1]
    index = {
        "glad": f"glad a 2 0 2 1 {offsets[0]:08d} {offsets[1]:08d}  ",
        "happy": f"happy a 1 0 1 1 {offsets[0]:08d}  ",
        "bright": f"bright a 1 0 1 1 {offsets[1]:08d}  ",
    }
    for part in ("noun", "verb", "adv"):
        (folder / f"index.{part}").write_text("  1 header\n")
        (folder / f"data.{part}").write_text("")
    (folder / "index.adj").write_text("  1 header\n" + "\n".join(index.values()) + "\n")
    (folder / "data.adj").write_text("\n".join(lines) + "\n")
    (folder / "cntlist.rev").write_text("glad%3:00:00:: 1 9\nglad%3:00:01:: 2 8\nhappy%5:00:00:x:00 1 4\n")


def test_a_synonym_is_given_only_for_a_word_whose_meaning_is_sure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wordnet(tmp_path)
    monkeypatch.setenv("WNSEARCHDIR", str(tmp_path))
    wordnet = open_wordnet()
    assert wordnet.synonyms("glad") == []  # nine uses of one meaning, eight of another
    assert wordnet.synonyms("happy") == ["glad"]
    assert wordnet.synonyms("bright") == []  # glad rather means something else
    (made,) = create_perturbations(["synonyms"])
    assert made.perturb("HAPPY guests", np.random.default_rng(0)) == "GLAD guests"


def test_without_its_data_a_perturbation_is_left_out_and_one_that_was_asked_for_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent() -> None:
        raise ConfigError("no WordNet")

    monkeypatch.setattr("tuneloop.data.perturbations.synonyms.open_wordnet", absent)
    made, lacking = available(["typos", "synonyms"])
    assert [each.name for each in made] == ["typos"]
    assert lacking == {"synonyms": "WordNet"}
    with pytest.raises(ConfigError):
        create_perturbations(["synonyms"])
    with pytest.raises(ConfigError, match="keyboard"):
        available(["keybord"])
