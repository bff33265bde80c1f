"""What several tests share: a tiny BERT with a tokenizer in a folder, and texts that a model can tell apart."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from torture.tiny import WORDS, write_tiny_model
from tuneloop.data.examples import Examples, Label, Span
from tuneloop.tasks import TASKS

if TYPE_CHECKING:
    from tuneloop.inference.predictor import Predictor

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TUNELOOP_LANG", "en")

LABELS: dict[str, Callable[[bool], Label]] = {
    "classification": lambda good: "yes" if good else "no",
    "pair": lambda good: "yes" if good else "no",
    "multilabel": lambda good: ("kind", "warm") if good else ("cold",),
    "regression": lambda good: 100.0 if good else 20.0,
    "pair_regression": lambda good: 100.0 if good else 20.0,
}


def tagged(text: str) -> Label:
    """Runs of `good` and of `bad` in a text."""
    found = [(match.start(), match.end(), match[1]) for match in re.finditer(r"\b(good|bad)( \1)*\b", text)]
    return tuple(Span(start, end, {"good": "praise", "bad": "blame"}[word]) for start, end, word in found)


@dataclass
class MadeUp:
    """Splits of texts that hold `good` or `bad`; twice as many are bad."""

    task: str
    hash: str = "made-up"

    @property
    def labels(self) -> list[str]:
        names = {"multilabel": ["cold", "kind", "warm"], "tagging": ["blame", "praise"]}
        names |= {"regression": [], "pair_regression": [], "qa": [], "multiple_choice": [], "retrieval": []}
        names |= {"generation": []}
        return names.get(self.task, ["no", "yes"])

    def split(self, name: str) -> Examples:
        rows, seed = {"train": (90, 1), "dev": (45, 2), "test": (60, 3), "unlabelled": (75, 4)}[name]
        random = np.random.default_rng(seed)
        good = np.arange(rows) % 3 == 0
        texts = []
        for each in good:
            words = [*random.choice(WORDS[6:-1], random.integers(1, 4)), *["good" if each else "bad"] * 3]
            texts.append(" ".join(random.permutation(words)))
        ids = [str(row) for row in range(rows)]
        if self.task == "qa":  # the first opinion is asked for
            found = [re.search("good|bad", text) for text in texts]
            return Examples(ids, ["a b"] * rows, [(Span(*each.span(), each[0]),) for each in found if each], texts)
        if self.task == "retrieval":  # the passage holds the next letter of the alphabet
            numbers = np.arange(rows) % 4
            noise = random.choice(WORDS[6:-1], rows)
            pairs = [f"{WORDS[7 + n]} {other} {WORDS[7 + n]}" for n, other in zip(numbers, noise, strict=True)]
            labels = [f"{n}:{pair}" for n, pair in zip(numbers, pairs, strict=True)]
            return Examples(ids, [WORDS[6 + n] for n in numbers], labels, pairs)
        if self.task == "similarity":  # both good or both bad
            others = random.permutation(rows)
            pairs = [texts[other] for other in others]
            return Examples(
                ids, texts, ["yes" if good[row] == good[other] else "no" for row, other in enumerate(others)], pairs
            )
        if self.task == "multiple_choice":
            choices = [("good a", "bad b") if each else ("bad b", "good a") for each in good]
            return Examples(ids, ["a b"] * rows, ["good a"] * rows, list(map("\n".join, choices)))
        if self.task == "tagging":
            return Examples(ids, texts, list(map(tagged, texts)))
        if self.task == "generation":
            answers = [["good a", "bad b"] if each else ["bad b", "good a"] for each in good]
            better, worse = map(list, zip(*answers, strict=True))
            return Examples(ids, texts, better, columns={"rejected": worse})
        labels = [LABELS[self.task](bool(each)) for each in good]
        pairs = ["a b"] * rows if self.task.startswith("pair") else None
        return Examples(ids, texts, labels, pairs)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random masked BERT of one layer, as transformers saves it, and a word tokenizer."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def gpt(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random GPT-2 and the same tokenizer, which has no mask token for it."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("gpt")
    torch.manual_seed(0)
    shape = {"n_positions": 40, "n_embd": 32, "n_layer": 1, "n_head": 2}
    GPT2LMHeadModel(GPT2Config(vocab_size=22, pad_token_id=0, initializer_range=0.3, **shape)).save_pretrained(folder)
    shutil.copy(tiny_model / "tokenizer.json", folder / "tokenizer.json")
    return folder


CHAT_WORDS = ["<pad>", "<unk>", "<|begin|>", "<|end|>", "user", "assistant", "system", ":", *WORDS[4:-1]]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|begin|>{{ message['role'] }}: {{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|begin|>assistant: {% endif %}"
)


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Llama of two layers, grouped keys, a word tokenizer and a chat template."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("chat")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64, "max_position_embeddings": 64}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3, "tie_word_embeddings": True}
    config = LlamaConfig(vocab_size=len(CHAT_WORDS), bos_token_id=2, eos_token_id=3, pad_token_id=0, **shape, **heads)
    LlamaForCausalLM(config).save_pretrained(path)
    inner = Tokenizer(models.WordLevel({word: n for n, word in enumerate(CHAT_WORDS)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.add_special_tokens(["<pad>", "<|begin|>", "<|end|>"])
    inner.save(str(path / "tokenizer.json"))
    marks = {"pad_token": "<pad>", "bos_token": "<|begin|>", "eos_token": "<|end|>", "unk_token": "<unk>"}
    marks |= {"tokenizer_class": "PreTrainedTokenizerFast"}
    (path / "tokenizer_config.json").write_text(json.dumps(marks))
    (path / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return path


@pytest.fixture(scope="session")
def byte_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Llama whose tokens are bytes, and a few words of several."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("bytes")
    words = ["<pad>", "<|begin|>", "<|end|>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "ye", "yes", "no"]
    merges = [("y", "e"), ("ye", "s"), ("n", "o")]
    inner = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, merges))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(["<pad>", "<|begin|>", "<|end|>"])
    inner.save(str(path / "tokenizer.json"))
    marks = {"pad_token": "<pad>", "bos_token": "<|begin|>", "eos_token": "<|end|>"}
    (path / "tokenizer_config.json").write_text(json.dumps(marks | {"tokenizer_class": "PreTrainedTokenizerFast"}))
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 32, "max_position_embeddings": 512}
    config = LlamaConfig(vocab_size=len(words) + 5, num_attention_heads=2, eos_token_id=2, pad_token_id=0, **shape)
    LlamaForCausalLM(config).save_pretrained(path)
    return path


class TwoWays(MadeUp):
    """Generation in which a word before a text asks for the usual answer; without it, its words come in other order."""

    def split(self, name: str) -> Examples:
        rows = super().split(name)
        turned = [" ".join(reversed(str(label).split())) for label in rows.labels]
        texts = [*rows.texts, *(f"system {text}" for text in rows.texts)]
        return Examples([str(number) for number in range(len(texts))], texts, [*turned, *rows.labels])


@pytest.fixture(scope="session")
def talking_model(chat_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chat model after it has learnt to answer in two ways, of which it takes the wrong one by itself."""
    from tuneloop.core.config import parse_config
    from tuneloop.core.paths import Workspace
    from tuneloop.training.run import tune

    training = {"epochs": 10, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
    plain = {"data": {"source": "x.csv"}, "task": "generation", "training": training}
    settings = parse_config(plain | {"model": {"source": str(chat_model), "max_tokens": 48}})
    workspace = Workspace(tmp_path_factory.mktemp("talking"))
    return tune(settings, snapshot=TwoWays("generation"), workspace=workspace, quiet=True).model_path


def gap(task: str) -> dict[str, object]:
    """A template for texts of two or three words."""
    return {"template": "{text} {pair} {mask}" if TASKS.get(task).takes_pairs else "{text} {mask}"}


@pytest.fixture(scope="session")
def options_of(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], dict[str, object]]:
    """The options that a method cannot do without on the tiny BERT, by its name and the name of a task."""
    from tuneloop.core.config import parse_config
    from tuneloop.core.paths import Workspace
    from tuneloop.training.run import tune

    folder, teachers = tmp_path_factory.mktemp("beside"), {}

    def teacher(task: str) -> str:
        if TASKS.get(task).generates:
            return "none"
        if task not in teachers:
            training = {"epochs": 15, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
            plain = {"data": {"source": "x.csv"}, "task": task, "training": training}
            settings = parse_config(plain | {"model": {"source": str(tiny_model), "max_tokens": 16}})
            teachers[task] = tune(settings, snapshot=MadeUp(task), workspace=Workspace(folder), quiet=True).model_path
        return str(teachers[task])

    def texts(task: str) -> str:
        path, rows = folder / f"{task}.jsonl", MadeUp(task).split("unlabelled").texts
        path.write_text("\n".join(json.dumps({"text": text, "pair": "a b"}) for text in rows))
        return str(path)

    needed = {
        "prompt": lambda task: {"length": 8} | ({} if TASKS.get(task).generates else {"rate_scale": 1.0}),
        "lora": lambda task: {"rate_scale": 0.3} if task == "retrieval" else {},
        "adalora": lambda task: {"rate_scale": 1.0, "alpha": 32 if task == "retrieval" else 512},
        "bitfit": lambda task: {"rate_scale": 3.0} if task == "retrieval" else {},
        "dpo": lambda _: {"sft_weight": 1.0, "rate_scale": 10.0},
        "distill": lambda task: {"teacher": teacher(task)},
        "self_training": lambda task: {"texts": texts(task)},
        "consistency": lambda task: {"texts": texts(task), "perturbations": ["end_mark"]},
        "pet": lambda task: {"verbalizer": dict(zip(MadeUp(task).labels, "abc", strict=False))} | gap(task),
        # the model is random: words that it happens to expect where they stand before
        "in_context": lambda task: {"shots": [1, 3], "verbalizer": {"no": "f", "yes": "d"}} | gap(task),
        "zero_shot": lambda _: {"descriptions": {"yes": ["good good good"], "no": ["bad bad bad"]}},
    }
    return lambda method, task: needed.get(method, lambda _: {})(task)


@pytest.fixture
def texts_csv(tmp_path: Path) -> Path:
    """texts.csv in the test's folder: all rows of the made-up classification."""
    path, data = tmp_path / "texts.csv", MadeUp("classification")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for name in ("train", "dev", "test"):
            rows = data.split(name)
            writer.writerows(zip(rows.texts, rows.labels, strict=True))
    return path


@pytest.fixture(scope="session")
def made_up() -> type[MadeUp]:
    """The class of the made-up snapshots, by the name of a task."""
    return MadeUp


@pytest.fixture(scope="session")
def learnt(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Predictor]]:
    """What opens, by the name of a task, a tiny BERT that has learnt it, in torch; each is trained once."""
    from tuneloop.core.config import parse_config
    from tuneloop.core.paths import Workspace
    from tuneloop.inference.predictor import open_predictor
    from tuneloop.training.run import tune

    workspace, known = Workspace(tmp_path_factory.mktemp("learnt")), {}

    def open_one(task: str) -> Predictor:
        if task not in known:
            training = {"epochs": 15, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
            plain = {"data": {"source": "x.csv"}, "task": task, "training": training}
            settings = parse_config(plain | {"model": {"source": str(tiny_model), "max_tokens": 24}})
            run = tune(settings, snapshot=MadeUp(task), workspace=workspace, quiet=True)
            known[task] = open_predictor(run.model_path)
        return known[task]

    yield open_one
    for each in known.values():
        each.close()
