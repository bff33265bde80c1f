"""Alerts over real sockets: signed, tried again, told once, and never sent where they may not go."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.drifting import MailConfig, WebhookConfig
from tuneloop.core.errors import ConfigError
from tuneloop.watch.alerts.addresses import check, is_public, pinned
from tuneloop.watch.alerts.base import Alert, AlertError
from tuneloop.watch.alerts.log import Log
from tuneloop.watch.alerts.mail import Mail
from tuneloop.watch.alerts.tell import TOLD, tell
from tuneloop.watch.alerts.webhook import SIGNATURE, Webhook, signature

ALERT = Alert("a1", "length", "hotel-1", 5.0, "texts are 38% longer\nthan before", {"window": 3})
KEY = "TEST_WEBHOOK_SECRET"


@contextmanager
def http_server(*answers: int) -> Iterator[tuple[int, list[tuple[dict[str, str], bytes]]]]:
    """A server that gives these answers in turn; its port and what it was sent."""
    got: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answers[min(len(got), len(answers)) - 1])
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

        def log_message(self, *given: Any) -> None:
            """Nothing on the terminal."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port, got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def webhook(port: int, monkeypatch: pytest.MonkeyPatch, waits: list[float] | None = None, **given: Any) -> Webhook:
    monkeypatch.setenv(KEY, "s3cret")
    hosts = {"hosts": ("alerts.test",), "private": ("alerts.test",)} | given
    config = WebhookConfig(url=f"http://alerts.test:{port}/hook?a=1", secret=KEY, **hosts)
    return Webhook(config, resolve=lambda host, port: ["127.0.0.1"], wait=(waits if waits is not None else []).append)


def test_an_alert_is_posted_signed_and_tried_again_with_longer_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    with http_server(503, 500, 204) as (port, got):
        webhook(port, monkeypatch, waits).send(ALERT)
    assert len(got) == 3 and 0.25 <= waits[0] <= 0.5 and 0.5 <= waits[1] <= 1
    headers, body = got[-1]
    at, given = (part.partition("=")[2] for part in headers[SIGNATURE].split(","))
    assert given == signature(b"s3cret", at, body) != signature(b"other", at, body)
    assert headers["Host"] == f"alerts.test:{port}" and headers["Idempotency-Key"] == "a1"
    assert json.loads(body) == ALERT.to_json()


@pytest.mark.parametrize(("answer", "tries"), [(302, 1), (404, 1), (503, 4)])
def test_redirects_are_not_followed_and_attempts_end(answer: int, tries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_server(answer) as (port, got):
        with pytest.raises(AlertError, match=f"HTTP {answer}"):
            webhook(port, monkeypatch).send(ALERT)
        assert len(got) == tries


def test_names_that_point_inside_the_network_are_refused_before_anything_is_sent() -> None:
    inside = ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "::1", "::ffff:10.0.0.1", "fe80::1%eth0"]
    inside += ["64:ff9b::a00:1", "2002:7f00:1::", "0.0.0.0", "224.0.0.1", "fd00::1"]
    assert not any(map(is_public, inside))
    assert is_public("93.184.216.34") and is_public("2606:4700::1111")
    target = check(WebhookConfig(url="https://alerts.test/x", hosts=("ALERTS.test.",)))
    with pytest.raises(AlertError, match="not public"):
        pinned(target, lambda host, port: ["93.184.216.34", "10.0.0.1"])
    assert pinned(target, lambda host, port: ["93.184.216.34"]) == "93.184.216.34"


@pytest.mark.parametrize(
    "url",
    ["https://evil.test/x", "https://alerts.test@evil.test/", "https://a:b@alerts.test/", "ftp://alerts.test/",
     "http://alerts.test/", "https://alerts.test/a b", "https://alerts.test:99999/", "alerts.test"],
)  # fmt: skip
def test_addresses_that_are_not_listed_or_not_secure_are_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        check(WebhookConfig(url=url, hosts=("alerts.test",)))


def test_a_name_is_resolved_once_for_all_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    with http_server(503, 200) as (port, _):
        sender = webhook(port, monkeypatch)
        sender._resolve = lambda host, port: asked.append(host) or ["127.0.0.1"]
        sender.send(ALERT)
    assert asked == ["alerts.test"]


def test_a_webhook_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)
    with pytest.raises(ConfigError, match=KEY):
        Webhook(WebhookConfig(url="https://alerts.test/", hosts=("alerts.test",), secret=KEY))


@contextmanager
def smtp_server() -> Iterator[tuple[int, list[str]]]:
    """A server that takes one mail and offers no encryption; its port and the lines that it was sent."""
    got: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb", buffering=0) as file:
            file.write(b"220 here\r\n")
            inside = False
            while line := file.readline():
                got.append(line.decode().rstrip("\r\n"))
                if inside:
                    inside = got[-1] != "."
                    if not inside:
                        file.write(b"250 taken\r\n")
                    continue
                word = got[-1][:4].upper()
                inside = word == "DATA"
                file.write({"DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}.get(word, b"250 here\r\n"))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], got
    finally:
        thread.join(5)
        listener.close()


def mail_config(port: int, **given: Any) -> MailConfig:
    return MailConfig(host="127.0.0.1", port=port, sender="watch@hotel.test", to=("ops@hotel.test",), **given)


def test_an_alert_is_mailed_and_its_subject_is_one_line() -> None:
    with smtp_server() as (port, got):
        Mail(mail_config(port, security="none")).send(ALERT)
    assert any("FROM:<watch@hotel.test>" in line for line in got)
    subject = next(line for line in got if line.startswith("Subject:"))
    assert subject == "Subject: tuneloop hotel-1: texts are 38% longer than before"


def test_nothing_is_mailed_where_encryption_is_wanted_and_not_offered() -> None:
    with smtp_server() as (port, got), pytest.raises(AlertError, match="SMTP server"):
        Mail(mail_config(port)).send(ALERT)
    assert not any("MAIL" in line.upper() for line in got)


def test_passwords_come_from_the_environment_and_never_go_over_an_open_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNELOOP_SMTP_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match="TUNELOOP_SMTP_PASSWORD"):
        Mail(mail_config(25, user="me"))
    with pytest.raises(ConfigError, match="starttls"):
        Mail(mail_config(25, user="me", security="none"))


class Failing(Log):
    name = "webhook"

    def send(self, alert: Alert) -> None:
        raise AlertError("nobody there")


def test_each_alert_is_told_once_by_each_way_and_a_failed_way_is_tried_again(tmp_path: Path) -> None:
    log, second = Log(tmp_path / "a.jsonl"), Alert("a2", "labels", "hotel-1", 6.0, "others")
    assert len(tell([ALERT], [log, Failing(tmp_path / "b")], tmp_path, cooldown_s=0)) == 1
    assert tell([ALERT, second], [log], tmp_path, cooldown_s=0) == []
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["a1", "a2"]
    assert len(tell([ALERT], [Failing(tmp_path / "b")], tmp_path, cooldown_s=0)) == 1


def test_within_the_cool_down_the_same_figure_is_silent_even_if_the_clock_is_set_back(tmp_path: Path) -> None:
    log, later = Log(tmp_path / "a.jsonl"), Alert("a2", "length", "hotel-1", 6.0, "again")
    tell([ALERT], [log], tmp_path, cooldown_s=60, clock=lambda: 1000.0)
    tell([later], [log], tmp_path, cooldown_s=60, clock=lambda: 1030.0)
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 1
    tell([later], [log], tmp_path, cooldown_s=60, clock=lambda: 10.0)
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 2


def test_a_damaged_memory_of_what_was_told_is_said(tmp_path: Path) -> None:
    (tmp_path / "alerts-told.json").write_text("{")
    with pytest.raises(AlertError, match="damaged"):
        tell([ALERT], [], tmp_path, cooldown_s=0)


def test_an_alarm_that_lasts_is_told_once_until_it_is_gone(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.jsonl")

    def drift(id: str, *, since: float, at: float) -> Alert:
        return Alert(id, "drift length", "hotel-1", at, "longer", {"since_at": since})

    first, moved, burst = (
        drift("one", since=3, at=5),
        drift("two", since=4, at=6),
        Alert("b", "burst", "hotel-1", 6, "x"),
    )
    for found in ([first], [moved], [moved, burst], [burst], []):
        assert tell(found, [log], tmp_path, cooldown_s=0, lasting="drift ") == []
    tell([ALERT], [log], tmp_path, cooldown_s=0)  # of another kind alone, as a server tells of a canary
    back, later = drift("three", since=20, at=22), drift("four", since=30, at=32)
    tell([back], [log], tmp_path, cooldown_s=0, lasting="drift ")
    tell([later], [log], tmp_path, cooldown_s=0, lasting="drift ")  # another one, which the first had hidden
    told = [json.loads(line)["id"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert told == ["one", "b", "a1", "three", "four"]
    assert {"log one", "log two"} <= json.loads((tmp_path / TOLD).read_text())["alerts"].keys()
