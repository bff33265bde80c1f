"""Early exit of MiniLM beside the whole model: which share of the layers it saves, at which loss of accuracy.

    python -m benchmarks.early_exit [--rows 8000]

On the sentiment corpus MiniLM is tuned with 4,000 labels as usual. Then two ways of giving it exits are compared:

- on top: the tuned model stays as it is, and a linear head is fitted to the mean states behind each of its layers, as
  `release.exits` does (Xin et al., "DeeBERT", 2020);
- together: the tuned model goes on for one epoch with heads behind layers 2 and 4 (linear, tanh, linear), whose losses
  are added to that of the last layer, weighted by their depth (Zhou et al., "BERT Loses Patience", 2020, equation 1).

One threshold for all exits is chosen by dev and `--rows` more labelled rows: at most 0.5 points may be lost against
the same model without exits, with 90 % confidence. The 2,000 test rows decide nothing. Counted are layers, which is the
most that can be saved: gathering those that go on costs time too.

Runs and states are kept in `benchmarks/.cache`, and what was stopped goes on there. Writes
`benchmarks/quality/early_exit.json`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cascade import CONFIDENCE, MAX_LOSS, config_of
from benchmarks.data import LEFT_ROWS, TRAIN_ROWS, Sentiment
from benchmarks.release import WORKSPACE, default_config
from benchmarks.results import QUALITY, machine
from tuneloop.core.fsio import write_json
from tuneloop.evaluation.handover import choose_exits
from tuneloop.evaluation.paired import difference_of_means
from tuneloop.inference.predictor import Predictor, open_predictor
from tuneloop.methods.full import FullFineTuning, FullOptions
from tuneloop.models.features import remember
from tuneloop.models.stages import token_means
from tuneloop.releases.exits import Seen, fitted_heads, seen_by
from tuneloop.tasks.temperature import fit_temperature

PATH = QUALITY / "early_exit.json"
FOLDER = WORKSPACE.cache / "early_exit"
LAYERS = 6
TOGETHER = (2, 4)
"""Layers with heads in the training with heads."""

PLACES = ((2,), (4,), (2, 4), (1, 2, 3, 4, 5))
"""Layers with heads on top."""


class Together(FullFineTuning):
    """Full fine-tuning with heads behind some layers: losses weighted by their depth."""

    name = "together"

    def prepare(self, model: Any) -> None:
        from torch.nn import Linear, ModuleDict, Sequential, Tanh

        super().prepare(model)
        hidden, outputs = model.config.hidden_size, model.config.num_labels
        heads = [Sequential(Linear(hidden, hidden), Tanh(), Linear(hidden, outputs)) for _ in TOGETHER]
        model.exits = ModuleDict(dict(zip(map(str, TOGETHER), heads, strict=True)))
        self._heard: dict[int, Any] = {}
        for layer in TOGETHER:
            model.base_model.encoder.layer[layer - 1].register_forward_hook(self._hear(layer))

    def _hear(self, layer: int) -> Any:
        return lambda _, __, states: self._heard.update({layer: states})

    def loss(self, model: Any, task: Any, batch: Any, targets: Any, rows: Any) -> Any:
        whole = LAYERS * task.loss(model(**batch).logits.float(), targets)
        for layer in TOGETHER:
            logits = model.exits[str(layer)](token_means(self._heard[layer], batch["attention_mask"])).float()
            whole = whole + layer * task.loss(logits, targets)
        return whole / (LAYERS + sum(TOGETHER))


def tuned() -> Predictor:
    """MiniLM, tuned as usual; once: the strong model of `benchmarks.cascade`."""
    from tuneloop.training.run import tune

    found = max(WORKSPACE.runs.glob("strong-*"), default=None)
    run = tune(
        config_of("strong", {"type": "full"}), snapshot=Sentiment(), workspace=WORKSPACE, quiet=True,
        resume=None if found is None else found.name,
    )  # fmt: skip
    return open_predictor(run.model_path)


def together(plain: Any) -> Any:
    """The tuned model after one more epoch, with `exits`; once."""
    from safetensors.torch import load_file, save_file

    from tuneloop.training.loop import train
    from tuneloop.training.prepare import prepare

    config, method, path = default_config(report_to=[], epochs=1), Together(FullOptions()), FOLDER / "together"
    ready = prepare(config, Sentiment())
    ready.model.load_state_dict(plain.state_dict())
    method.prepare(ready.model)
    if not (path / "model.safetensors").is_file():
        path.mkdir(parents=True, exist_ok=True)
        train(
            ready.model, ready.task, method, train_split=ready.train, dev_split=ready.dev, config=config.training,
            seed=config.seed, precision=ready.precision, folder=path, fingerprint={},
        )  # fmt: skip
        tensors = {name: value.contiguous() for name, value in ready.model.state_dict().items()}
        save_file(tensors, path / "model.safetensors")
    plain.load_state_dict(tensors := load_file(path / "model.safetensors"), strict=False)
    plain.exits = ready.model.exits
    plain.exits.load_state_dict({name[6:]: each for name, each in tensors.items() if name.startswith("exits.")})
    return plain


def read(name: str, model: Any, tokens: Any) -> tuple[Any, Any]:
    """Mean states behind all layers but the last, (layers, n, hidden), and logits, (n, classes); computed once."""
    import torch

    from tuneloop.models.forward import reading_batches, to_tensors

    def compute() -> Any:
        found = np.zeros((LAYERS, len(tokens), model.config.hidden_size), np.float32)
        for rows in reading_batches(tokens.lengths):
            batch = to_tensors(model, tokens, rows)
            with torch.inference_mode():
                answer = model(**batch, output_hidden_states=True)
            for layer in range(1, LAYERS):
                found[layer - 1, rows] = token_means(answer.hidden_states[layer], batch["attention_mask"]).numpy()
            found[-1, rows, : model.config.num_labels] = answer.logits.numpy()
        return found

    kept = remember(FOLDER / f"{name}.npy", compute)
    return kept[:-1], kept[-1, :, : model.config.num_labels]


def measure(rows: int) -> dict[str, Any]:
    """Both ways, and what the test split says of each."""
    import torch

    data, predictor = Sentiment(), tuned()
    task, model = predictor.task, predictor.engine.model  # type: ignore[union-attr]
    parts = {name: data.split(name) for name in ("train", "dev", "left", "test")}
    parts["left"] = parts["left"].select(range(rows))
    tokens = {name: predictor.tokenizer.encode(part.inputs) for name, part in parts.items()}
    labels = {name: part.labels for name, part in parts.items()}

    on_top = {name: read(f"tuned.{name}.{len(part)}", model, tokens[name]) for name, part in parts.items()}
    every = range(1, LAYERS)
    heads = fitted_heads(task, every, on_top["train"][0], labels["train"], on_top["dev"][0], labels["dev"])
    seen = {
        name: seen_by(
            task, heads.layers, heads.every(on_top[name][0]), task.scores(on_top[name][1]), labels[name]
        )
        for name in ("dev", "left", "test")
    }  # fmt: skip
    found = {f"on top, {places}": _judged(_at(seen, places)) for places in PLACES}

    model = together(model)
    beside = {
        name: read(f"together.{name}.{len(parts[name])}", model, tokens[name]) for name in ("dev", "left", "test")
    }
    seen, temperatures = {}, []
    for name, (means, logits) in beside.items():
        with torch.inference_mode():
            answers = [model.exits[str(layer)](torch.tensor(means[layer - 1])).numpy() for layer in TOGETHER]
        if name == "dev":
            temperatures = [fit_temperature(each, labels["dev"], task) for each in answers]
        cooled = [each / temperature for each, temperature in zip(answers, temperatures, strict=True)]
        seen[name] = seen_by(task, TOGETHER, cooled, task.scores(logits), labels[name])
    found[f"together, {TOGETHER}"] = _judged(seen)
    return {
        "exits": found,
        "settings": {"train": TRAIN_ROWS, "threshold": f"dev and {rows} more", "most lost": MAX_LOSS,
                     "confidence": CONFIDENCE},
        "machine": machine(),
    }  # fmt: skip


def _at(seen: dict[str, Seen], layers: tuple[int, ...]) -> dict[str, Seen]:
    """The same with some of the exits."""
    places = [layer - 1 for layer in layers]
    return {name: Seen(layers, each.sure[places], each.right[places], each.whole) for name, each in seen.items()}


def _judged(seen: dict[str, Seen]) -> dict[str, Any]:
    """The threshold by dev and the rows that are left, and what the exits save and cost on test."""
    dev, left, test = (seen[name] for name in ("dev", "left", "test"))
    joined = [np.concatenate([getattr(dev, part), getattr(left, part)], axis=-1) for part in ("sure", "right", "whole")]
    handover = choose_exits(*joined, max_loss=MAX_LOSS, confidence=CONFIDENCE)
    ours = test.answered(handover.threshold)
    paired = difference_of_means(ours * 1.0, test.whole * 1.0, metric="accuracy", seed=0, resamples=2000)
    saved = test.saved(handover.threshold, LAYERS)
    return {
        "threshold": round(handover.threshold, 3),
        "leave": ", ".join(f"{layer}: {share:.1%}" for layer, share in saved["leave"].items()),
        "layers saved": round(saved["layers_saved"], 3),
        "accuracy": round(float(ours.mean()), 4),
        "whole model": round(float(test.whole.mean()), 4),
        "difference": f"{paired.difference:+.4f} ({paired.low:+.4f} to {paired.high:+.4f})",
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=LEFT_ROWS)
    parser.add_argument("--output", type=Path, default=PATH)
    options = parser.parse_args()
    found = measure(options.rows)
    write_json(options.output, found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
