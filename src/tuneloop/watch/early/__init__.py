"""Early warnings: bursts of answers of a kind about a name."""
