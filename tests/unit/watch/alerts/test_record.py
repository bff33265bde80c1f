"""What was told is read back: newest first, by which ways, in the language of who reads it."""

from __future__ import annotations

from pathlib import Path

from tuneloop.core.i18n import use_language
from tuneloop.watch.alerts.base import Alert, Channel
from tuneloop.watch.alerts.log import Log
from tuneloop.watch.alerts.record import told_alerts
from tuneloop.watch.alerts.tell import LOG, TOLD, tell

BURST = {"name": "refunds", "hits": 9, "expected": 2.0}


class Heard(Channel):
    """Hears everything."""

    name = "mail"

    def send(self, alert: Alert) -> None:
        """It is heard."""


def alert(number: int, about: str = "canary mood") -> Alert:
    return Alert(str(number), about, "mood-1", float(number), f"sentence {number}", dict(BURST))


def test_alerts_come_newest_first_with_the_ways_they_were_told_by(tmp_path: Path) -> None:
    given = [alert(1), alert(3, "warning refunds")]
    tell(given, [Log(tmp_path / LOG), Heard()], tmp_path, cooldown_s=0.0, clock=lambda: 50.0)
    with (tmp_path / LOG).open("a") as file:
        file.write('{"id": "4", "at"')  # a crash
    found = told_alerts(tmp_path, [alert(2), *given])
    assert [each["id"] for each in found] == ["3", "2", "1"]
    assert found[0]["told"] == {"log": 50.0, "mail": 50.0} and found[1]["told"] == {}
    assert found[0]["sentence"].startswith("refunds: 9 texts") and found[2]["sentence"] == "sentence 1"
    use_language("zh")
    try:
        assert "预期约" in told_alerts(tmp_path)[0]["sentence"]
    finally:
        use_language(None)


def test_a_folder_without_alerts_or_with_a_damaged_note_gives_what_there_is(tmp_path: Path) -> None:
    assert told_alerts(tmp_path) == []
    (tmp_path / TOLD).write_text("[1")
    assert told_alerts(tmp_path, [alert(1)])[0]["told"] == {}
