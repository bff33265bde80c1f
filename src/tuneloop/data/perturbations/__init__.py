"""Small changes of texts, as people and attackers make them: one file for each kind, deterministic for a generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.core.registry import Registry

if TYPE_CHECKING:
    from tuneloop.data.perturbations.base import Perturbation

PLACE = "tuneloop.data.perturbations"
PERTURBATIONS: Registry[type[Perturbation]] = Registry(
    "perturbation",
    PLACE,
    {
        "typos": f"{PLACE}.typos:Typos",
        "keyboard": f"{PLACE}.keyboard:Keyboard",
        "confusions": f"{PLACE}.confusions:Confusions",
        "synonyms": f"{PLACE}.synonyms:Synonyms",
        "contractions": f"{PLACE}.contractions:Contractions",
        "lower_case": f"{PLACE}.case:LowerCase",
        "upper_case": f"{PLACE}.case:UpperCase",
        "joined_words": f"{PLACE}.spaces:JoinedWords",
        "homophones": f"{PLACE}.homophones:Homophones",
        "near_sounds": f"{PLACE}.homophones:NearSounds",
        "shapes": f"{PLACE}.shapes:Shapes",
        "swapped_characters": f"{PLACE}.typos:SwappedCharacters",
        "traditional": f"{PLACE}.chinese_script:Traditional",
        "simplified": f"{PLACE}.chinese_script:Simplified",
        "width": f"{PLACE}.width:Width",
        "extra_spaces": f"{PLACE}.spaces:ExtraSpaces",
        "end_mark": f"{PLACE}.punctuation:EndMark",
        "no_punctuation": f"{PLACE}.punctuation:NoPunctuation",
        "emoji": f"{PLACE}.emoji:Emoji",
        "suffix": f"{PLACE}.suffix:Suffix",
        "negation": f"{PLACE}.negation:Negation",
    },
)
