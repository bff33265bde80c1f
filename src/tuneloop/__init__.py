"""tuneloop: the whole life of a fine-tuned model, from a data file to a served, watched release."""
