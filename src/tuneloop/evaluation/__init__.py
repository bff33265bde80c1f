"""Honest figures: every metric with its interval, every "better" with its test."""
