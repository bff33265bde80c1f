"""Rows that are more than a text: items of text, image, sound and columns, and where their files are kept."""
