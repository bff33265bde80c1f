"""The model served by LitServe. `python -m benchmarks.litserve_server MODEL PORT batching|defaults`

batching: as https://lightning.ai/docs/litserve/features/batching says, with the faster queue beside it. Batches are
small, as a processor gains little from larger ones, and each is padded to its longest text.
"""

from __future__ import annotations

import sys

import litserve

from benchmarks.peer_model import Classifier

MOST, WAIT_S = 8, 0.01


class Alone(litserve.LitAPI):
    """One request after the other."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self.model = Classifier(sys.argv[1])

    def predict(self, request: dict[str, str]) -> dict[str, str]:
        """The label of a text."""
        return {"label": self.model.labels([request["text"]])[0]}


class Together(litserve.LitAPI):
    """Those that wait, in one batch."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self.model = Classifier(sys.argv[1])

    def predict(self, requests: list[dict[str, str]]) -> list[dict[str, str]]:
        """The labels of the texts."""
        return [{"label": label} for label in self.model.labels([each["text"] for each in requests])]


if __name__ == "__main__":
    batching = sys.argv[3] == "batching"
    api = Together(max_batch_size=MOST, batch_timeout=WAIT_S) if batching else Alone()
    server = litserve.LitServer(api, accelerator="cpu", fast_queue=batching)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
