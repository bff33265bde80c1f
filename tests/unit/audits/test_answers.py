"""What a model answered is kept, and a kept file that is no good does no harm."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from tests.audited import WordModel, word_model
from tuneloop.audits.answers import Remembering
from tuneloop.core.errors import StorageError


def test_damaged_file_is_begun_anew(tmp_path):
    path = tmp_path / "kept.sqlite"
    path.write_bytes(b"this is no database" * 300)
    model = Remembering(word_model(), path)
    assert np.isfinite(model.scores(["good room"])).all()
    model.close()
    again = Remembering(word_model(), path)
    again.scores(["good room"])
    assert again.computed == 0


def test_file_that_is_damaged_later_is_begun_anew(tmp_path):
    path = tmp_path / "kept.sqlite"
    first = Remembering(word_model(), path)
    first.scores([f"room {number}" for number in range(1000)])
    first.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))  # the first page, with the table's name, is sound
    model = Remembering(word_model(), path)
    assert model.scores([f"room {number}" for number in range(1000)]).shape == (1000, 2)


def test_locked_file_is_told_as_such(tmp_path):
    path = tmp_path / "kept.sqlite"
    model = Remembering(word_model(), path)
    model._kept.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageError, match=r"kept\.sqlite"):
        model.scores(["good room"])
    other.close()


def test_scores_that_are_no_numbers_are_not_kept(tmp_path):
    path = tmp_path / "kept.sqlite"
    broken = Remembering(WordModel({"room": float("nan")}), path)
    assert np.isnan(broken.scores(["room"])).all()
    broken.close()
    sound = Remembering(word_model(), path)
    assert np.isfinite(sound.scores(["room"])).all()
