"""The web studio: pages on one workspace, for reading and for starting what the command line starts."""
