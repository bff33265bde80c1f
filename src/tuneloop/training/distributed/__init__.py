"""One training by several processes, on one machine or several: by torchrun's launcher or on a Ray cluster."""
