"""How good spelling, guard and writer are: `python measure.py`, on the hand-written files beside it."""

from actions import judged, messages, speller
from pipeline import rows

import tuneloop as tl


def main() -> None:
    """Counts of right and wrong, and what the writer makes of texts that it has not seen."""
    spell, sentences, pairs = speller(), rows("spelling.jsonl"), rows("guard.jsonl")
    told = [(row, spell.correct(row["text"])) for row in sentences]
    print(f"spelling: {sum(answer == row['answer'] for row, answer in told)} of {len(told)} sentences right")
    for row, answer in told:
        if answer != row["answer"]:
            print(f"  {row['text']!r} became {answer!r}")
    refused = [judged("rewrite", row["text"], row["answer"])["refused"] for row in pairs]
    for wrong, name in ((True, "wrong"), (False, "right")):
        found = [no for row, no in zip(pairs, refused, strict=True) if row["wrong"] is wrong]
        print(f"guard: {sum(found)} of {len(found)} {name} answers refused")
    for row, no in zip(pairs, refused, strict=True):
        if no != row["wrong"]:
            print(f"  {row['text']!r} as {row['answer']!r}: {'refused' if no else 'let through'}")
    asked = rows("unseen.jsonl")
    answers = tl.load("writer").predict([messages(row["action"], row["text"], row.get("tone", "")) for row in asked])
    found = [judged(row["action"], row["text"], each.label) for row, each in zip(asked, answers, strict=True)]
    for row, each in zip(asked, found, strict=True):
        print(f"{row['action']}: {row['text']}\n  {'refused: ' if each['refused'] else ''}{each['answer']}")
    print(f"writer: {sum(each['refused'] for each in found)} of {len(found)} answers refused by the guard")


if __name__ == "__main__":
    main()
