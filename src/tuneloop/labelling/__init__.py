"""Which texts to label next, where labels are kept, and how far people agree on them."""
