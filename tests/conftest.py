"""What several tests share: a tiny real BERT that trains in a second."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TUNELOOP_LANG", "en")
