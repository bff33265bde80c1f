"""One file per kind of document: from a file to its parts."""
