"""How long one question takes to search 5,000 passages, embedding it included: the 95th percentile."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks import passages
from benchmarks.knowledge import many_passages
from benchmarks.measure import alternate
from benchmarks.results import Result, result
from tuneloop.models.source import resolve
from tuneloop.releases.knowledge import DEFAULT_ENCODER

ASKED = 200
K = 5


def run(name: str) -> Result:
    """Hybrid search beside the exact search of sentence-transformers, which compares vectors alone."""
    from sentence_transformers import SentenceTransformer, util

    index = many_passages()
    questions = [each.question for each in passages.questions()[::3]][:ASKED]
    model = SentenceTransformer(str(resolve(DEFAULT_ENCODER)), device="cpu", local_files_only=True)
    vectors = model.encode(
        passages.passages(), convert_to_tensor=True, normalize_embeddings=True, show_progress_bar=False
    )

    def peer(question: str) -> Any:
        asked = model.encode(question, convert_to_tensor=True, normalize_embeddings=True, show_progress_bar=False)
        return util.semantic_search(asked, vectors, top_k=K)

    sides = alternate(
        lambda _: percentile_ms(lambda question: index.search(question, k=K), questions),
        lambda _: percentile_ms(peer, questions),
    )
    quality = {"passages": sum(entry.chunks for entry in index.documents()), "questions": len(questions),
               "recall": "see knowledge under Quality"}  # fmt: skip
    return result(
        name, sides, ours="Index.search, hybrid: BM25 and int8 vectors, embedding of the question included",
        peer="SentenceTransformer.encode and util.semantic_search, vectors alone, float32",
        peer_package="sentence-transformers", unit="ms", quality=quality, smaller_is_better=True,
    )  # fmt: skip


def percentile_ms(search: Any, questions: list[str]) -> float:
    """The 95th percentile of the time of one call, in milliseconds."""
    took = []
    for question in questions:
        begin = time.perf_counter()
        search(question)
        took.append(time.perf_counter() - begin)
    return float(np.percentile(took, 95)) * 1000
