"""A release answers over HTTP: batching, limits, metrics, hot swap, graceful shutdown."""

from tuneloop.serve.start import serve

__all__ = ["serve"]
