"""The model as the peers' documentation runs one: tokenizer and model of transformers, padded batches, no gradients."""

from __future__ import annotations


class Classifier:
    """A sequence classifier of a Hugging Face folder.

    Args:
        folder: where it lies.
    """

    def __init__(self, folder: str) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModelForSequenceClassification.from_pretrained(folder).eval()

    def labels(self, texts: list[str]) -> list[str]:
        """The most likely class of each."""
        import torch

        tokens = self._tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            logits = self._model(**tokens).logits
        return [self._model.config.id2label[index] for index in logits.argmax(-1).tolist()]
