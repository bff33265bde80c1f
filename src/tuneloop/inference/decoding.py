"""How one answer is written: settings, the choice of each token, and what may restrict it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Constraint(Protocol):
    """What the next token of one answer may be, such as those that keep it valid JSON.

    A token that ends the answer is never given to `accept`; `allowed` holds it where the answer may end.
    """

    @property
    def finished(self) -> bool:
        """Whether nothing may follow any more: the answer ends here."""

    def allowed(self) -> Any:
        """Whether each token may come next, bool, (vocabulary,), an array or a tensor; None if all may."""

    def accept(self, token_id: int) -> None:
        """Take the chosen token into account."""


@dataclass(frozen=True)
class Decoding:
    """Settings of one answer.

    Args:
        max_tokens: tokens of the answer at most.
        temperature: how bold chance is; 0 always takes the likeliest token.
        top_p: chance chooses among the likeliest tokens that have this share together (Holtzman et al., "The Curious
            Case of Neural Text Degeneration", 2020).
        top_k: chance chooses among so many of the likeliest tokens; 0 leaves that out.
        repetition_penalty: above 1 what stands in prompt or answer becomes less likely (Keskar et al., "CTRL", 2019).
        seed: makes chance repeatable; None draws one.
        stop: the answer ends before the first of these texts.
        likeliest: tokens whose log-probabilities are told for each place; None tells none.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    likeliest: int | None = None


class Choice(NamedTuple):
    """One token of an answer.

    Args:
        token_id: its number.
        log_probability: what the model held of it, before any setting; None if it was not asked for.
        likeliest: the likeliest tokens in its place with their log-probabilities, as many as were asked for.
    """

    token_id: int
    log_probability: float | None = None
    likeliest: tuple[tuple[int, float], ...] = ()


class Chooser:
    """Chooses the tokens of one answer, by its own settings and its own chance.

    Args:
        decoding: the settings.
        prompt: token ids of the prompt.
        constraint: what restricts the choice.
    """

    def __init__(self, decoding: Decoding, prompt: Sequence[int], constraint: Constraint | None) -> None:
        import torch

        self._decoding = decoding
        self._constraint = constraint
        self._penalised = set(prompt) if decoding.repetition_penalty != 1 else set()
        self._chance = torch.Generator()
        self._chance.manual_seed(secrets.randbits(63) if decoding.seed is None else decoding.seed)

    @property
    def plain(self) -> bool:
        """Whether the likeliest token is all that matters."""
        settings = self._decoding
        return (
            self._constraint is None
            and settings.temperature == 0
            and settings.repetition_penalty == 1
            and settings.likeliest is None
        )

    def choose(self, logits: Tensor) -> Choice | None:
        """The next token by its logits, float32 on the CPU, (vocabulary,); None if the constraint allows none."""
        import torch

        scores = self._penalise(logits)
        if self._constraint is not None:
            scores = restrict(scores, self._constraint.allowed())
            if bool(torch.isneginf(scores).all()):
                return None
        token_id = int(scores.argmax()) if self._decoding.temperature == 0 else self._draw(scores)
        return self._told(token_id, logits)

    def accept(self, token_id: int) -> None:
        """Go on behind this token, which is none that ends the answer."""
        if self._decoding.repetition_penalty != 1:
            self._penalised.add(token_id)
        if self._constraint is not None:
            self._constraint.accept(token_id)

    @property
    def finished(self) -> bool:
        """Whether the constraint lets nothing follow."""
        return self._constraint is not None and self._constraint.finished

    def _penalise(self, logits: Tensor) -> Tensor:
        if not self._penalised:
            return logits
        import torch

        places = torch.tensor(sorted(self._penalised))
        scores, penalty = logits.clone(), self._decoding.repetition_penalty
        scores[places] = torch.where(logits[places] < 0, logits[places] * penalty, logits[places] / penalty)
        return scores

    def _draw(self, scores: Tensor) -> int:
        import torch

        scores = scores / self._decoding.temperature
        if 0 < self._decoding.top_k < len(scores):
            least = scores.topk(self._decoding.top_k).values[-1]
            scores = scores.masked_fill(scores < least, -torch.inf)
        if self._decoding.top_p < 1:
            ordered, places = scores.sort(descending=True)
            shares = ordered.softmax(dim=0)
            # a token stays while those before it have less than the share: the likeliest always does
            beyond = shares.cumsum(dim=0) - shares >= self._decoding.top_p
            scores = scores.masked_fill(torch.zeros_like(beyond).scatter(0, places, beyond), -torch.inf)
        return int(torch.multinomial(scores.softmax(dim=0), 1, generator=self._chance))

    def _told(self, token_id: int, logits: Tensor) -> Choice:
        count = self._decoding.likeliest
        if count is None:
            return Choice(token_id)
        known = logits.log_softmax(dim=0)
        best = known.topk(count) if count else None
        pairs = () if best is None else tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))
        return Choice(token_id, float(known[token_id]), pairs)


class Penalty:
    """A transformers `LogitsProcessor`: what stands in prompt or answer becomes less likely, as `Chooser` has it.

    That of transformers counts padding too, so that an answer would hang on how long the prompts beside it are.

    Args:
        penalty: above 1.
        read: which tokens of the prompts are no padding, (prompts, width); each may have several beams.
    """

    def __init__(self, penalty: float, read: Tensor) -> None:
        self._penalty, self._read = penalty, read.bool()

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores, (rows, vocabulary), of rows of tokens, (rows, width and more)."""
        import torch

        counts = torch.ones_like(input_ids, dtype=torch.bool)
        counts[:, : self._read.shape[1]] = self._read.repeat_interleave(len(input_ids) // len(self._read), dim=0)
        rows, places = counts.nonzero(as_tuple=True)
        seen = torch.zeros_like(scores, dtype=torch.bool)
        seen[rows, input_ids[rows, places]] = True
        return torch.where(seen, torch.where(scores < 0, scores * self._penalty, scores / self._penalty), scores)


def restrict(scores: Tensor, allowed: Any) -> Tensor:
    """Scores (vocabulary,) with -inf where a token may not come; tokens that `allowed` does not know may not."""
    import torch

    if allowed is None:
        return scores
    may = torch.as_tensor(allowed, dtype=torch.bool)[: len(scores)]
    if len(may) < len(scores):  # the model's output is often padded to a round number
        may = torch.cat([may, torch.zeros(len(scores) - len(may), dtype=torch.bool)])
    return scores.masked_fill(~may, -torch.inf)
