"""A text as the answer to a text: dialogue, instructions, summaries, translations, questions, writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from tuneloop.core.i18n import t
from tuneloop.data.conversation import Message, parse_messages, to_text
from tuneloop.data.examples import Input, Label
from tuneloop.models.forward import padded_width
from tuneloop.tasks.base import Prediction, TaskOptions
from tuneloop.tasks.constraint import ConstraintOptions
from tuneloop.tasks.parted import PartedTask
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.written import Written, rows_of_chrf

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedModel

    from tuneloop.data.tokens import Tokens
    from tuneloop.models.chat import ChatTokenizer
    from tuneloop.tasks.base import FloatArray


class GenerationOptions(TaskOptions):
    """Options of writing texts."""

    instruction: str = Field(
        "", description="What the system says in every conversation in which it says nothing, such as: Translate."
    )
    learn: Literal["every", "last"] = Field(
        "every", description="Which answers of a conversation are learnt: every one, or the last."
    )
    max_new_tokens: int = Field(256, ge=1, description="Tokens of an answer at most.")
    decoding: Literal["greedy", "sample", "beam"] = Field(
        "greedy", description="How the next token is chosen: the likeliest, by chance, or the likeliest sentence."
    )
    temperature: float = Field(0.7, gt=0, description="How bold chance is; below 1 more careful.")
    top_p: float = Field(0.9, gt=0, le=1, description="Chance chooses among the tokens that have this share together.")
    beams: int = Field(4, ge=2, description="Sentences that are kept in view by decoding: beam.")
    repetition_penalty: float = Field(1.0, ge=1, description="Above 1 what was said before becomes less likely.")
    constraint: ConstraintOptions = Field(
        default_factory=lambda: ConstraintOptions.model_validate({}),
        description="What an answer must look like: one of choices, a regex, or JSON of a json_schema.",
    )


class Generation(PartedTask):
    """The next-token loss of a language model, causal or encoder-decoder, on the tokens of the answers alone.

    Its input is a prompt, plain or a conversation (see `data.conversation`), its label the answer. A text's loss is the
    sum over its learnt tokens, divided by how many a text of train has on average: so every token counts alike, as in
    the mean over all tokens, and the gradient does not hang on which texts share a batch. Its scores are an array (n,)
    of `Written`.
    """

    name = "generation"
    Options = GenerationOptions
    options: GenerationOptions
    problem_type = "generation"
    architecture = "AutoModelForCausalLM"
    primary_metric = "chrf"
    dev_metric = "log_likelihood"
    has_classes = False
    has_probabilities = False
    has_head = False
    generates = True
    free_answers = True
    layout = "written"
    row_by_row = True
    unit = "text"
    baselines: ClassVar[tuple[str, ...]] = ("majority", "nearest")

    def __init__(self, options: TaskOptions, state: Mapping[str, Any]) -> None:
        super().__init__(options, state)
        self.mean_tokens = 1.0

    @classmethod
    def parse_label(cls, raw: Any) -> Label:
        if not isinstance(raw, str) or not raw.strip():
            raise ValueError(t("the answer is missing"))
        return raw

    @classmethod
    def parse_input(cls, text: Any, pair: Any) -> tuple[Any, Any]:
        """The canonical text of a prompt: of a list of messages, or of what one user says, whatever that looks like."""
        if isinstance(text, str):
            return to_text([Message("user", text)]), pair
        if not isinstance(text, list):
            return text, pair
        messages = parse_messages(text)
        if messages[-1].role != "user":
            raise ValueError(t("the last message must be of the user: there is nothing to answer"))
        return to_text(messages), pair

    @classmethod
    def parse_row(cls, text: Any, pair: Any, label: Any) -> tuple[Any, Any, Label]:
        text, pair = cls.parse_input(text, pair)
        return text, pair, cls.parse_label(label)

    def learn_tokens(self, tokens: Tokens) -> None:
        """How many tokens are learnt of a text of train, on average: what the loss of a text is divided by."""
        self.mean_tokens = max(1.0, float(_marks(tokens).sum()) / max(1, len(tokens)))

    @property
    def outputs(self) -> int:
        return 0

    def tokenizer(self, folder: Path, max_tokens: int, template: str = "") -> ChatTokenizer:
        from tuneloop.models.chat import open_writing_tokenizer

        room = min(self.options.max_new_tokens, max_tokens // 2)
        every = self.options.learn == "every"
        return open_writing_tokenizer(
            folder, max_tokens, answer_tokens=room, every_answer=every, instruction=self.options.instruction
        )

    def lessons(self, inputs: Sequence[Input], labels: Sequence[Label]) -> list[Input]:
        """Prompts with their answers."""
        return [(str(prompt), str(answer)) for prompt, answer in zip(inputs, labels, strict=True)]

    def aligned(self, labels: Sequence[Label], tokens: Tokens, inputs: Sequence[Input]) -> np.ndarray[Any, Any]:
        """1 for each token that is learnt, int8, (texts, longest)."""
        return _marks(tokens)

    def losses(self, model: PreTrainedModel, batch: dict[str, Tensor], targets: Tensor) -> Tensor:
        """The loss of each text, (texts,), from a padded batch and the marks of its tokens."""
        return self.surprise(model, batch, targets) / self.mean_tokens

    def surprise(self, model: PreTrainedModel, batch: dict[str, Tensor], marks: Tensor) -> Tensor:
        """-log p of the marked tokens of each text together, float32, (texts,)."""
        import torch

        from tuneloop.models.encoder_decoder import answer_losses
        from tuneloop.models.next_token import at_hand
        from tuneloop.models.packed import packed_losses

        mask = batch["attention_mask"].bool()
        learnt = marks[:, : mask.shape[1]].bool() & mask
        compute = answer_losses if model.config.is_encoder_decoder else packed_losses
        losses = at_hand(model, lambda: compute(model, batch, learnt))
        owners = torch.arange(len(mask), device=mask.device)[:, None].expand_as(mask)[learnt]
        return torch.zeros(len(mask), device=losses.device).index_add(0, owners, losses)

    def judge(
        self, model: PreTrainedModel, tokens: Tokens, labels: Any, inputs: Any, precision: str
    ) -> dict[str, float]:
        """The log-likelihood of the learnt tokens of dev, mean over these tokens."""
        sums, counts = self.likelihoods(model, tokens, precision)
        return {"log_likelihood": float(sums.sum() / max(1, counts.sum()))}

    def likelihoods(self, model: PreTrainedModel, tokens: Tokens, precision: str) -> tuple[FloatArray, Any]:
        """Of each text the log-likelihood of its marked tokens together, and how many these are, (texts,) each."""
        import torch

        from tuneloop.models.device import autocast
        from tuneloop.models.forward import reading_batches, to_tensors

        marks = _marks(tokens)
        sums = np.zeros(len(tokens), dtype=np.float32)
        model.train(False)
        for rows in reading_batches(tokens.lengths):
            batch = to_tensors(model, tokens, rows)
            with torch.inference_mode(), autocast(precision, model.device.type):
                surprise = self.surprise(model, batch, torch.from_numpy(marks[rows]).to(model.device))
            sums[rows] = -surprise.float().cpu().numpy()
        return sums, marks.sum(axis=1, dtype=np.int64)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        raise NotImplementedError("see `losses`")

    def decide(self, scores: FloatArray) -> list[Label]:
        return [written.text for written in scores]

    def row_figures(self, labels: Sequence[Label], scores: FloatArray) -> dict[str, Any]:
        # of all figures of texts this one: it is asked for with every part and every comparison
        return {"chrf": rows_of_chrf(labels, scores)}

    def scores_of(self, answers: Sequence[Mapping[str, Any]], near: FloatArray) -> FloatArray:
        return as_scores(Written(each["label"]) for each in answers)

    def predictions(self, scores: FloatArray, truncated: Sequence[bool] | None = None) -> list[Prediction]:
        cut = truncated if truncated is not None else [False] * len(scores)
        return [
            Prediction(written.text, {}, bool(was_cut), finished=written.finished)
            for written, was_cut in zip(scores, cut, strict=True)
        ]


def _marks(tokens: Tokens) -> np.ndarray[Any, np.dtype[np.int8]]:
    """1 for each token that the model is to write, (texts, longest); never the first, which nothing could foretell."""
    marks = np.zeros((len(tokens), padded_width(tokens.lengths)), dtype=np.int8)
    if tokens.type_ids is not None:
        marks[np.arange(marks.shape[1]) < tokens.lengths[:, None]] = tokens.type_ids
    marks[:, 0] = 0
    return marks
