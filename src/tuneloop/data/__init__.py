"""From files to a checked, cleaned, split and hashed snapshot, and to token-budget batches."""
