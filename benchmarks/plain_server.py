"""What people write first: a FastAPI handler that calls the pipeline.

`python -m benchmarks.plain_server MODEL PORT`
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

app = FastAPI()
classify = pipeline("text-classification", model=sys.argv[1])


class Body(BaseModel):
    """One text."""

    text: str


@app.post("/predict")
def predict(body: Body) -> dict[str, object]:
    """Its label and score."""
    return dict(classify(body.text)[0])


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
