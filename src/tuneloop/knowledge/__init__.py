"""What is known beside the model: documents, graphs, lexicons and rules."""
