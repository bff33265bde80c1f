"""A form of a released model that was made elsewhere: merged, converted to GGUF, served by another server.

Does it write what was evaluated? Compared are the tokens that it reads of held-out conversations and, at every place
of the right answer, which token it finds likeliest and how likely. Where it differs, what differs tells why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.config import parse_config
from tuneloop.core.errors import ReleaseError, TuneloopError
from tuneloop.core.i18n import t
from tuneloop.data.conversation import to_messages
from tuneloop.evaluation.intervals import finite
from tuneloop.inference.writing import Writer, open_untuned, open_written
from tuneloop.models.source import resolve
from tuneloop.releases.index import model_of
from tuneloop.releases.outside_server import Server, Step

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples
    from tuneloop.releases.read import Release

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]

CONVERSATIONS = 32
"""Held-out conversations that are compared."""

SERVED_TOKENS = 8
"""Tokens of an answer that a server is asked for."""

NEAR = 0.1
"""Mean distance (total variation) of two distributions up to which a difference looks like one of rounding."""

TIE = 0.05
"""Difference of the probabilities of two tokens up to which rounding may turn them round."""


@dataclass(frozen=True)
class Difference:
    """The first token that differs.

    Args:
        conversation: its id in the data.
        part: "prompt" where the models read different tokens, "answer" where they write different ones.
        place: number of the token in this part, from 0.
        expected, found: the token of the release and that of the form, as text.
    """

    conversation: str
    part: str
    place: int
    expected: str
    found: str


@dataclass
class Comparison:
    """How a form agrees with the release.

    Args:
        form: what was compared.
        conversations: how many were compared.
        places: tokens of answers that were compared.
        same: share of these where both find the same token likeliest.
        max_difference: largest difference of a probability.
        loss: fall of the mean log-likelihood of the right answers; None where a form does not tell it.
        cause: what probably makes the difference: template, tokenizer, end tokens, missing merge, precision, weights;
            empty if there is none that counts.
        first: the first token that differs.
    """

    form: str
    conversations: int = 0
    places: int = 0
    same: float = 1.0
    max_difference: float = 0.0
    loss: float | None = None
    cause: str = ""
    first: Difference | None = None

    @property
    def accepted(self) -> bool:
        """Whether the form may stand for the release."""
        return not self.cause

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; what is not finite becomes None."""
        loss = None if self.loss is None else finite(self.loss)
        figures = {"same": finite(self.same), "max_difference": finite(self.max_difference), "loss": loss}
        return asdict(self) | figures | {"accepted": self.accepted}


def compare_form(release: Release, form: str, held_out: Examples, *, model: str = "", key: str = "") -> Comparison:
    """Compare a form with the release that it was made of.

    Args:
        form: a model folder, a GGUF file, or the address of a server of the OpenAI kind, such as
            http://127.0.0.1:8000/v1.
        held_out: conversations that the model was not trained on.
        model: how the server calls the model; by default as the release is called, or else the first that it lists.
        key: what the server must be sent.

    Raises:
        ReleaseError: if the release holds no causal model, or the server does not answer as it should.
        ModelError: if the folder or file cannot be opened.
    """
    ours = release.predictor()
    if not isinstance(ours, Writer):
        ours.close()
        raise ReleaseError(
            t("{name} does not write texts.", name=release.id),
            t("Forms of models that judge texts are compared when they are released."),
        )
    if ours.reads_apart:
        ours.close()
        raise ReleaseError(
            t("{name} reads with an encoder; only causal models are compared so.", name=release.id),
            t("Compare its answers with: tuneloop predict."),
        )
    few = held_out.select(range(min(CONVERSATIONS, len(held_out))))
    try:
        if re.match("https?://", form):
            names = [model] if model else [release.id, model_of(release.id)]
            found = _ServerComparison(release, ours, few).run(Server(form, names=names, key=key))
        else:
            with closing(open_written(resolve(form), like=ours, name=form)) as theirs:
                found = _FolderComparison(release, ours, few).run(theirs)
    finally:
        ours.close()
    if not found.conversations:
        raise ReleaseError(
            t("There is no conversation to compare {form} on.", form=form),
            t("The dev split needs some that the model reads whole; raise model.max_tokens or data.split.dev."),
        )
    return found


class _Against:
    """What both ways of comparing need: the release, the conversations, and the model before it was tuned."""

    def __init__(self, release: Release, ours: Writer, few: Examples) -> None:
        self.release, self.ours, self.few = release, ours, few
        self.config = parse_config(release.info["config"])
        self.max_loss = self.config.release.max_loss

    def untuned(self) -> Writer | None:
        """The pretrained model, if it is still where it was."""
        try:
            return open_untuned(self.config, task=self.ours.task, base=self.release.path.parents[2])
        except TuneloopError:
            return None

    def likely_cause(self, far: Sequence[float], far_from_untuned: Sequence[float]) -> str:
        """Why distributions differ, from how far each is from that of the release and from that before tuning."""
        distance = float(np.mean(far))
        if far_from_untuned and float(np.mean(far_from_untuned)) < distance / 2:
            return "missing merge"
        return "precision" if distance <= NEAR else "weights"


class _FolderComparison(_Against):
    def run(self, theirs: Writer) -> Comparison:
        found = Comparison(theirs.name)
        lessons = self.ours.task.lessons(self.few.inputs, self.few.labels)
        read, other = self.ours.tokenizer.encode(lessons), theirs.tokenizer.encode(lessons)
        pairs = [(_ids(read, row), _ids(other, row)) for row in range(len(lessons))]
        found.conversations = len(pairs)
        for row, (one, two) in enumerate(pairs):
            if one != two:
                found.first = self._misread(row, one, two, theirs)
                found.cause = (
                    "template" if self._rendered(row, self.ours) != self._rendered(row, theirs) else "tokenizer"
                )
                return found
        if self.ours.ends != theirs.ends:
            found.cause = "end tokens"
        self._judge(found, theirs, read)
        return found

    def _judge(self, found: Comparison, theirs: Writer, read: Any) -> None:
        untuned = self.untuned()
        likelihoods: list[FloatArray] = []
        same: list[FloatArray] = []
        far: list[float] = []
        far_from_untuned: list[float] = []
        for row in range(len(read)):
            ids, places = _ids(read, row), _learnt(read, row)
            right = [ids[place] for place in places]
            expected, answer = self.ours.shares(ids, places), theirs.shares(ids, places)
            likelihoods.append(_log(expected, right) - _log(answer, right))
            far.append(_distance(expected, answer))
            if untuned is not None:
                far_from_untuned.append(_distance(untuned.shares(ids, places), answer))
            found.max_difference = max(found.max_difference, float(np.abs(expected - answer).max()))
            alike = expected.argmax(axis=1) == answer.argmax(axis=1)
            same.append(alike)
            if found.first is None and not alike.all():
                place = int(alike.argmin())
                words = [self.ours.tokenizer.text_of([int(each[place].argmax())]) for each in (expected, answer)]
                found.first = Difference(self.few.ids[row], "answer", place, *words)
        if untuned is not None:
            untuned.close()
        all_same = np.concatenate(same)
        found.places, found.same = len(all_same), float(all_same.mean())
        found.loss = float(np.concatenate(likelihoods).mean())
        alike_enough = found.loss <= self.max_loss and float(np.mean(far)) <= NEAR
        if not found.cause and not alike_enough:  # also where they are no numbers
            found.cause = self.likely_cause(far, far_from_untuned)

    def _misread(self, row: int, one: Sequence[int], two: Sequence[int], theirs: Writer) -> Difference:
        place = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
        words = [
            writer.tokenizer.token_text(ids[place]) if place < len(ids) else ""
            for writer, ids in ((self.ours, one), (theirs, two))
        ]
        return Difference(self.few.ids[row], "prompt", place, *words)

    def _rendered(self, row: int, writer: Writer) -> str:
        return writer.tokenizer.rendered(writer.tokenizer.told(to_messages(str(self.few.inputs[row]))), ask=True)


class _ServerComparison(_Against):
    def run(self, server: Server) -> Comparison:
        found, untuned = Comparison(server.address), self.untuned()
        far: list[float] = []
        far_from_untuned: list[float] = []
        same: list[bool] = []
        ties: list[bool] = []
        for name, prompt in zip(self.few.ids, self.few.inputs, strict=True):
            tokens = self.ours.tokenizer.encode([prompt])
            if tokens.truncated[0]:  # which the server would not cut
                continue
            read = _ids(tokens, 0)
            answer = server.answer(self.ours.tokenizer.told(to_messages(str(prompt))), tokens=SERVED_TOKENS)
            found.conversations += 1
            if answer.prompt_tokens != len(read):
                counts = [t("{count} tokens", count=count) for count in (len(read), answer.prompt_tokens)]
                found.cause, found.first = "template", Difference(name, "prompt", 0, *counts)
                break
            for place, (chances, wanted, got) in enumerate(self._walk(read, answer.steps, self.ours)):
                same.append(wanted == got)
                if place == 0:
                    far.append(_distance_to_top(chances, answer.steps[0]))
                    if untuned is not None:
                        before, _, _ = next(self._walk(read, answer.steps, untuned))
                        far_from_untuned.append(_distance_to_top(before, answer.steps[0]))
                if wanted != got:
                    ties.append(abs(chances.get(wanted, 0.0) - chances.get(got, 0.0)) <= TIE)
                    found.first = found.first or Difference(name, "answer", place, wanted, got)
                    break
        if untuned is not None:
            untuned.close()
        found.places, found.same = len(same), float(np.mean(same)) if same else 0.0
        found.max_difference = max(far, default=0.0)
        if not found.cause and far and not (all(ties) and float(np.mean(far)) <= NEAR):
            found.cause = self.likely_cause(far, far_from_untuned)
        return found

    def _walk(
        self, read: Sequence[int], steps: Sequence[Step], writer: Writer
    ) -> Iterator[tuple[dict[str, float], str, str]]:
        """At each token of a served answer: chances by text, the likeliest token of `writer`, that of the server."""
        ids, ends = list(read), {writer.tokenizer.token_text(number) for number in writer.ends}
        for step in steps:
            shares = writer.shares(ids, [len(ids)])[0]
            order = np.argsort(-shares)[:50]
            chances: dict[str, float] = {}
            for number in order.tolist():
                text = writer.tokenizer.text_of([number])
                chances[text] = chances.get(text, 0.0) + float(shares[number])
            best = int(order[0])
            got = "" if step.text in ends else step.text
            yield chances, writer.tokenizer.text_of([best]), got
            ids.append(best)


def _ids(tokens: Any, row: int) -> list[int]:
    return [int(number) for number in tokens.ids[tokens.offsets[row] : tokens.offsets[row + 1]]]


def _learnt(tokens: Any, row: int) -> list[int]:
    """Places of the tokens that the model is to write; never the first."""
    if tokens.type_ids is None:
        return []
    marks = tokens.type_ids[tokens.offsets[row] : tokens.offsets[row + 1]]
    return [place for place in np.flatnonzero(marks).tolist() if place]


def _log(shares: FloatArray, right: Sequence[int]) -> FloatArray:
    chosen: FloatArray = np.log(np.maximum(shares[np.arange(len(right)), list(right)], 1e-30))
    return chosen


def _distance(one: FloatArray, two: FloatArray) -> float:
    """Mean total variation distance of two lists of distributions."""
    return float(np.abs(one - two).sum(axis=1).mean() / 2)


def _distance_to_top(chances: dict[str, float], step: Step) -> float:
    """Largest difference of a probability among the tokens that the server tells."""
    return max((abs(chances.get(text, 0.0) - chance) for text, chance in step.chances.items()), default=0.0)
