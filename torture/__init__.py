"""kill -9, refused writes, a full disk, lost power and a clock that goes back; `python -m torture`, `make torture`.

A victim is real work through tuneloop's own functions in a forked process that is killed at a random moment. What lies
on the disk then is checked by code that trusts nothing of what was killed (`invariants`).
"""
