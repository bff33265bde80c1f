"""A release's life after the first one: updates, the gate between two releases, promotion, the way back."""
