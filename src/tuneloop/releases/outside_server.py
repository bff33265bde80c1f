"""Asking a server of the OpenAI kind for the first tokens of an answer and how likely they were."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import ReleaseError
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.data.conversation import Message

TIMEOUT_S = 120.0
TOP = 5
"""Likeliest tokens that are asked for at each place; servers give no more than 5 to 20."""


@dataclass(frozen=True)
class Step:
    """A token of an answer: its text, empty for the end, and the probabilities of the likeliest ones, by text."""

    text: str
    chances: dict[str, float]


@dataclass(frozen=True)
class Answer:
    """The beginning of a greedy answer, and how many tokens the prompt was for the server."""

    prompt_tokens: int
    steps: Sequence[Step]


class Server:
    """A server at `address`, which ends in /v1.

    Args:
        names: how it may call the model; if it lists none of them, the first that it lists is taken.
        key: sent as a bearer token, if there is one.

    Raises:
        ReleaseError: if it cannot be reached, refuses, or answers in another form.
    """

    def __init__(self, address: str, *, names: Sequence[str] = (), key: str = "") -> None:
        self.address = address.rstrip("/")
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self.model = self._called(names)

    def answer(self, messages: Sequence[Message], *, tokens: int) -> Answer:
        """The likeliest `tokens` tokens of its answer."""
        asked = {
            "model": self.model, "messages": [message._asdict() for message in messages], "max_tokens": tokens,
            "temperature": 0, "logprobs": True, "top_logprobs": TOP,
        }  # fmt: skip
        told = self._ask("/chat/completions", asked)
        try:
            steps = [
                Step(each["token"], {top["token"]: math.exp(top["logprob"]) for top in each["top_logprobs"]})
                for each in told["choices"][0]["logprobs"]["content"]
            ]
            if told["choices"][0]["finish_reason"] == "stop" and len(steps) < tokens:
                steps.append(Step("", {}))
            return Answer(int(told["usage"]["prompt_tokens"]), steps)
        except (KeyError, TypeError, IndexError, ValueError):
            raise self._odd() from None

    def _called(self, names: Sequence[str]) -> str:
        try:
            listed = [str(each["id"]) for each in self._ask("/models")["data"]]
            return next((name for name in names if name in listed), listed[0])
        except (KeyError, TypeError, IndexError):
            raise self._odd() from None

    def _ask(self, route: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + route, data, self._headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise ReleaseError(
                t("{address} answered with status {status}.", address=self.address + route, status=error.code),
                t("Check its key (OPENAI_API_KEY) and the name of the model."),
            ) from None
        except ValueError:
            raise self._odd() from None
        except OSError as error:  # also what cannot be reached, and what takes too long
            raise ReleaseError(
                t("{address} cannot be asked: {error}", address=self.address + route, error=error),
                t("Start the server first, and give its address with /v1 at the end."),
            ) from None

    def _odd(self) -> ReleaseError:
        return ReleaseError(
            t("{address} does not answer as the OpenAI API does, with logprobs.", address=self.address),
            t("Give the address of a server that has /v1/chat/completions with logprobs and top_logprobs."),
        )
