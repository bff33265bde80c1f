"""A server follows what is deployed: no request fails, no answer is mixed, and what is worse goes by itself."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from benchmarks.load import closed_loop
from tests.releases import make_release
from tests.unit.serve.conftest import WAIT_S, FakeHandle, Live
from tuneloop.core.config import ServeConfig
from tuneloop.core.deploying import DeployConfig
from tuneloop.core.errors import ReleaseError, StorageError
from tuneloop.core.paths import Workspace
from tuneloop.core.watching import WatchConfig
from tuneloop.releases.deployment import deployed, history, kept_figures
from tuneloop.releases.promotion import promote, rollback, try_out
from tuneloop.serve import following
from tuneloop.serve.app import create_app
from tuneloop.serve.server import Server, listen
from tuneloop.serve.slot import ServedModel
from tuneloop.tasks.base import Prediction


class Named(FakeHandle):
    """Names its release in the probabilities of every answer; `label` is what it answers, `broken` fails on all."""

    def __init__(self, release: str, *, label: str = "even", broken: bool = False, task: str = "classification"):
        super().__init__(task)
        self.number, self.label, self.broken = float(release.rpartition("-")[2]), label, broken

    def predict(self, inputs: Any) -> list[Prediction]:
        super().predict(inputs)
        if self.broken:
            raise RuntimeError("broken")
        return [Prediction(self.label, {"even": self.number, "odd": 0.0}) for _ in inputs]


class Following(Live):
    """A server that follows m, its workspace, and the models that it opened, in order."""

    workspace: Workspace
    opened: list[tuple[str, Named]]

    def answers(self) -> str:
        return str(self.predict("a").body["release"])

    def until_answered_by(self, release: str) -> None:
        self.until(lambda: self.answers() == release)

    @property
    def trial(self) -> Any:
        return self.server.service.sides.trial

    def until_trying(self, stage: str) -> None:
        self.until(lambda: self.trial is not None and self.trial.candidate.stage == stage)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path / "workspace")
    for number in range(1, 4):
        make_release(found, f"m-{number}")
    return found


@pytest.fixture
def follow(workspace: Workspace) -> Iterator[Callable[..., Following]]:
    """Starts servers that follow m; `ways` are settings of models by release, `damaged` cannot be opened."""
    running: list[Following] = []

    def begin(
        *,
        ways: dict[str, Any] | None = None,
        damaged: tuple[str, ...] = (),
        watch: WatchConfig | None = None,
        deploy: DeployConfig | None = None,
        **settings: Any,
    ) -> Following:
        opened: list[tuple[str, Named]] = []

        def open_model(release: str) -> ServedModel:
            if release in damaged:
                raise ReleaseError(f"{release} is damaged.", "Restore it.")
            model = Named(release, **(ways or {}).get(release, {}))
            opened.append((release, model))
            return ServedModel(release, "fake", model)

        app = create_app(
            "", workspace=workspace, config=ServeConfig(port=0, **settings), open_model=open_model, watch=watch,
            follow="m", deploy=deploy,
        )  # fmt: skip
        ready = threading.Event()
        server = Server(app, listen("127.0.0.1", 0), ready=lambda _: ready.set())
        thread = threading.Thread(target=server.serve_until_stopped)
        thread.start()
        live = Following(server, thread)
        live.workspace, live.opened = workspace, opened
        running.append(live)
        assert ready.wait(WAIT_S)
        return live

    yield begin
    for live in running:
        live.models = dict(live.opened)
        live.stop()
        assert all(model.closed for _, model in live.opened)


def test_without_a_record_the_newest_answers_and_nothing_is_written(follow: Any, workspace: Workspace) -> None:
    live = follow()
    assert live.answers() == "m-3"
    make_release(workspace, "m-4")
    assert live.answers() == "m-3" and not workspace.deployments.exists()
    make_release(workspace, "other-1")
    promote("other-1", workspace, who="ann")  # a record of another model is none of this one
    promote("m-1", workspace, who="ann")
    live.until_answered_by("m-1")


def test_every_stage_under_load_fails_no_request_and_mixes_no_answer(follow: Any, workspace: Workspace) -> None:
    live = follow()
    bodies = [b'{"texts":["a","bb","ccc"]}', b'{"text":"a"}']
    done = threading.Event()
    seen: Counter[str] = Counter()

    async def load() -> Counter[int]:
        statuses: Counter[int] = Counter()
        while not done.is_set():
            found = await closed_loop(live.url + "/v1/predict", bodies, clients=8, requests=80)
            statuses += found.statuses
            answer = json.loads(found.last)
            numbers = {each["probabilities"]["even"] for each in answer["predictions"]}
            assert numbers == {float(answer["release"][2:])}
            seen[answer["release"]] += 1
        return statuses

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(lambda: asyncio.run(load()))
        try:
            promote("m-1", workspace, who="ann")
            live.until_answered_by("m-1")
            for release, before in (("m-2", "m-1"), ("m-3", "m-2"), ("m-2", "m-1")):
                try_out(release, workspace, stage="shadow", share=1.0, who="ann")
                live.until_trying("shadow")
                live.until(lambda: live.trial.figures()["shadow"]["texts"] > 50)
                try_out(release, workspace, stage="canary", share=0.3, who="ann")
                live.until_trying("canary")
                live.until_answered_by(release)
                promote(release, workspace, who="ann")
                live.until(lambda release=release: live.server.service.slot.current.release == release)
                if release == "m-3":
                    rollback("m", workspace, who="ann")
                    live.until_answered_by("m-2")
                    rollback("m", workspace, who="ann")
                    live.until_answered_by(before := "m-1")
                assert before == "m-1" or release == "m-3"
            rollback("m", workspace, who="ann")
            live.until_answered_by("m-1")
        finally:
            done.set()
        statuses = loading.result()
    assert statuses.keys() == {200} and statuses[200] > 500
    assert len(seen) > 1


def test_after_a_promotion_the_release_before_is_open_and_a_rollback_opens_nothing(
    follow: Any, workspace: Workspace
) -> None:
    live = follow()
    promote("m-2", workspace, who="ann")
    live.until_answered_by("m-2")
    live.until(lambda: [name for name, _ in live.opened] == ["m-3", "m-2"])
    before = live.predict("a").body
    rollback("m", workspace, who="ann")
    live.until_answered_by("m-3")
    assert [name for name, _ in live.opened][:2] == ["m-3", "m-2"]
    promote("m-2", workspace, who="ann")
    live.until_answered_by("m-2")
    assert live.predict("a").body == before


def test_the_release_before_is_closed_where_its_memory_is_wanted(follow: Any, workspace: Workspace) -> None:
    live = follow(deploy=DeployConfig(keep_before=False))
    promote("m-2", workspace, who="ann")
    live.until_answered_by("m-2")
    live.until(lambda: dict(live.opened)["m-3"].closed)
    rollback("m", workspace, who="ann")
    live.until_answered_by("m-3")


def test_a_session_stays_on_one_side_also_when_the_share_grows(follow: Any, workspace: Workspace) -> None:
    live = follow()
    sessions = [f"user-{number}" for number in range(60)]

    def sides() -> dict[str, set[str]]:
        return {each: {live.predict("a", X_Session=each).body["release"] for _ in range(2)} for each in sessions}

    try_out("m-1", workspace, stage="canary", share=0.2, who="ann")
    live.until_trying("canary")
    few = sides()
    try_out("m-1", workspace, stage="canary", share=0.5, who="ann")
    live.until(lambda: live.trial.candidate.share == 0.5)
    many = sides()
    assert all(len(each) == 1 for each in [*few.values(), *many.values()])
    on_it = {name for name, each in few.items() if each == {"m-1"}}
    later = {name for name, each in many.items() if each == {"m-1"}}
    assert 0 < len(on_it) < len(later) < 60 and on_it < later


def test_a_canary_that_fails_fails_no_request_and_is_taken_out(
    follow: Any, workspace: Workspace, capfd: pytest.CaptureFixture[str]
) -> None:
    live = follow(ways={"m-2": {"broken": True}})
    try_out("m-2", workspace, stage="canary", share=0.5, who="ann")
    live.until_trying("canary")
    statuses: Counter[int] = Counter()

    def taken_out() -> bool:
        statuses.update(live.predict("a").status for _ in range(5))
        return deployed("m", workspace).candidate is None

    live.until(taken_out)
    live.until(lambda: live.trial is None)
    assert statuses.keys() == {200} and live.answers() == "m-3"
    last = history("m", workspace)[-1]
    assert (last.kind, last.release, last.details["criterion"]) == ("abort", "m-2", "failed")
    assert last.who.startswith("tuneloop serve") and "m-2 failed on 100.0%" in last.why
    (figures,) = last.details["figures"].values()
    assert figures["criteria"]["failed"]["candidate"]["share"] == 1.0
    assert "m-2 was taken out" in capfd.readouterr().err
    told = workspace.watched / "m-2" / "alerts.jsonl"
    live.until(lambda: told.is_file() and "m-2" in told.read_text())
    assert live.counter("tuneloop_tried_requests_total", stage="canary", outcome="failed") > 0


def test_what_no_server_could_tell_alone_is_told_by_the_figures_of_all(
    follow: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways, servers = {"m-2": {"broken": True}}, []
    monkeypatch.setattr(following, "JUDGE_S", 1e9)
    for name in ("one", "two"):
        monkeypatch.setattr("tuneloop.serve.following.socket.gethostname", lambda name=name: name)
        servers.append(follow(ways=ways))
    change = try_out("m-2", workspace, stage="canary", share=0.5, who="ann").number
    criteria: dict[str, Any] = {}
    for live in servers:
        live.until_trying("canary")
        trial = live.trial
        sessions = [f"user-{number}" for number in range(60)]  # by turns, so that no single request tells all
        turns = cycle([next(each for each in sessions if trial.takes(each) is side) for side in (False, True)])
        while trial.figures()["criteria"]["failed"]["evidence"]["worse"] < 3.0:
            assert live.predict("a", X_Session=next(turns)).status == 200
        criteria[live.server.service.following.server] = trial.figures()["criteria"]
    failed = [each["failed"] for each in criteria.values()]
    assert all(each["verdict"] == "unclear" for each in failed)
    monkeypatch.setattr(following, "JUDGE_S", 0.0)
    live.until(lambda: deployed("m", workspace).candidate is None)
    last = history("m", workspace)[-1]
    assert (last.kind, last.details["criterion"]) == ("abort", "failed") and len(last.details["figures"]) == 2
    asked = sum(each["candidate"]["asked"] for each in failed)
    assert f"of {asked} requests" in last.why and kept_figures(change, workspace).keys() == criteria.keys()
    for live in servers:
        live.until(lambda live=live: live.trial is None)
        assert live.answers() == "m-3"


def test_a_canary_that_people_call_wrong_is_taken_out(follow: Any, workspace: Workspace) -> None:
    live = follow(ways={"m-2": {"label": "odd"}}, watch=WatchConfig(events="hashes"))
    try_out("m-2", workspace, stage="canary", share=0.5, who="ann")
    live.until_trying("canary")
    asked = 0

    def taken_out() -> bool:
        nonlocal asked
        for _ in range(5):
            reply = live.predict("a")
            given = {"event": f"{reply.headers['x-request-id']}.0", "label": "even", "key": f"key-{asked}"}
            assert live.ask("POST", "/v1/feedback", given).status == 201
            asked += 1
        return deployed("m", workspace).candidate is None

    live.until(taken_out)
    last = history("m", workspace)[-1]
    assert (last.kind, last.details["criterion"]) == ("abort", "wrong")
    (figures,) = last.details["figures"].values()
    wrong = figures["criteria"]["wrong"]
    assert (wrong["current"]["share"], wrong["candidate"]["share"]) == (0.0, 1.0)


def test_an_equal_canary_stays_and_its_figures_survive_the_server(
    follow: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = follow()
    change = try_out("m-2", workspace, stage="canary", share=0.5, who="ann").number
    live.until_trying("canary")
    for _ in range(60):
        assert live.predict("a").status == 200
    live.stop()
    (server,) = kept_figures(change, workspace)
    before = kept_figures(change, workspace)[server]["criteria"]["failed"]
    assert before["current"]["asked"] + before["candidate"]["asked"] == 60
    monkeypatch.setattr("tuneloop.serve.following.os.getpid", lambda: int(server.rpartition(":")[2]))
    again = follow()
    again.until_trying("canary")
    found = again.trial.figures()["criteria"]["failed"]
    assert found == before and deployed("m", workspace).candidate is not None


def test_a_shadow_is_compared_and_never_seen(follow: Any, workspace: Workspace) -> None:
    live = follow(ways={"m-2": {"label": "odd"}})
    try_out("m-2", workspace, stage="shadow", share=1.0, who="ann")
    live.until_trying("shadow")
    for _ in range(30):
        assert live.answers() == "m-3"
    live.until(lambda: live.trial.figures()["shadow"]["texts"] == 30)
    shadow = live.trial.figures()["shadow"]
    assert shadow["same"] == 0 and shadow["different"] == {"even → odd": 30} and shadow["failed"] == 0


def test_a_shadow_that_is_stuck_slows_no_answer_and_fills_no_memory(follow: Any, workspace: Workspace) -> None:
    live = follow()
    try_out("m-2", workspace, stage="shadow", share=1.0, who="ann")
    live.until_trying("shadow")
    stuck = dict(live.opened)["m-2"]
    stuck.open_gate.clear()
    replies = [live.predict("a").status for _ in range(100)]
    assert replies == [200] * 100
    assert live.trial.batcher.waiting <= 64
    live.until(lambda: live.trial.figures()["shadow"]["dropped"] > 0)
    stuck.open_gate.set()


def test_a_shadow_that_fails_is_counted_and_not_taken_out(follow: Any, workspace: Workspace) -> None:
    live = follow(ways={"m-2": {"broken": True}})
    try_out("m-2", workspace, stage="shadow", share=1.0, who="ann")
    live.until_trying("shadow")
    for _ in range(20):
        assert live.answers() == "m-3"
    live.until(lambda: live.trial.figures()["shadow"]["failed"] == 20)
    assert deployed("m", workspace).candidate is not None


def test_a_record_that_cannot_be_read_for_a_while_stops_no_answer(
    follow: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    live = follow()
    tried = threading.Semaphore(0)

    def refuse(*_: Any) -> None:
        tried.release()
        raise StorageError("The disk is gone.", "Bring it back.")

    with monkeypatch.context() as patch:
        patch.setattr(following, "kept_figures", refuse)
        try_out("m-2", workspace, stage="canary", share=0.5, who="ann")
        assert tried.acquire(timeout=WAIT_S) and tried.acquire(timeout=WAIT_S)
        assert live.answers() == "m-3" and live.trial is None
    live.until_trying("canary")
    assert caplog.text.count("The disk is gone.") == 1


def test_a_deployed_release_that_cannot_be_opened_leaves_the_old_one_and_is_told(
    follow: Any, workspace: Workspace, capfd: pytest.CaptureFixture[str]
) -> None:
    live = follow(damaged=("m-1",))
    promote("m-1", workspace, who="ann")
    live.until(lambda: history("m", workspace)[-1].kind == "failed")
    assert live.answers() == "m-3"
    assert history("m", workspace)[-1].why == "m-1 is damaged."
    told = live.ask("GET", "/readyz")
    assert told.status == 200 and "m-1 should answer" in told.body["problem"]
    assert "m-1 should answer" in live.ask("GET", "/v1/models").body["deployment"]["problem"]
    assert "m-1 is damaged" in capfd.readouterr().err
    promote("m-2", workspace, who="ann")
    live.until_answered_by("m-2")
    assert live.ask("GET", "/readyz").body["problem"] is None


def test_a_model_of_another_task_is_never_exchanged_in(follow: Any, workspace: Workspace) -> None:
    live = follow(ways={"m-1": {"task": "pair"}})
    promote("m-1", workspace, who="ann")
    live.until(lambda: history("m", workspace)[-1].kind == "failed")
    assert live.answers() == "m-3" and dict(live.opened)["m-1"].closed


def test_a_server_begins_with_the_newest_release_before_a_damaged_one(
    follow: Any, workspace: Workspace, capfd: pytest.CaptureFixture[str]
) -> None:
    for release in ("m-1", "m-2", "m-3"):
        promote(release, workspace, who="ann")
    live = follow(damaged=("m-3", "m-2"))
    assert live.answers() == "m-1"
    assert "m-3 should answer" in live.ask("GET", "/readyz").body["problem"]
    assert "m-3 cannot be opened" in capfd.readouterr().err
    assert [each.kind for each in history("m", workspace)][-2:] == ["failed", "failed"]


def test_servers_that_cannot_open_a_release_say_so_once_each_and_try_again_after_a_deployment(
    follow: Any, workspace: Workspace
) -> None:
    first, second = follow(damaged=("m-1",)), follow(damaged=("m-1",))
    promote("m-1", workspace, who="ann")
    first.until(lambda: history("m", workspace)[-1].kind == "failed")
    other = try_out("m-2", workspace, stage="shadow", share=0.5, who="ann").number
    for live in (first, second):
        live.until_trying("shadow")
        live.until(lambda live=live: live.server.service.following._failed)
    for why in ("on this host", "on that host"):  # of other servers

        def noted(why: str = why) -> bool:
            last = deployed("m", workspace).change
            return following.note_failure("m", "m-1", workspace, who="another", why=why, last=last) is not None

        first.until(noted)
    for live in (first, second):
        live.until(lambda live=live: live.server.service.following.state.change == deployed("m", workspace).change)
        assert live.server.service.following._failed and live.answers() == "m-3"
    changes = [each.kind for each in history("m", workspace) if each.number > other]
    assert changes == ["failed"] * len(changes) and len(changes) <= 4


def test_a_record_that_cannot_be_written_keeps_no_older_release_from_answering(
    follow: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise StorageError("The disk is read-only.", "Mount it otherwise.")

    monkeypatch.setattr(following, "note_failure", refuse)
    assert follow(damaged=("m-3",)).answers() == "m-2"
    assert "The disk is read-only." in capfd.readouterr().err


def test_a_following_server_takes_no_activation_and_says_what_to_type(follow: Any) -> None:
    live = follow()
    reply = live.ask("POST", "/v1/models/m-1/activate")
    assert reply.status == 409 and "tuneloop deploy" in reply.body["hint"]
    assert live.answers() == "m-3"


def test_models_tells_what_is_deployed(follow: Any, workspace: Workspace) -> None:
    live = follow()
    try_out("m-1", workspace, stage="canary", share=0.25, who="ann")
    live.until_trying("canary")
    assert live.ask("GET", "/v1/models").body["deployment"] == {
        "name": "m", "current": "m-3", "before": "m-2", "candidate": "m-1", "stage": "canary", "share": 0.25,
        "problem": None,
    }  # fmt: skip
    assert live.counter("tuneloop_candidate", release="m-1", stage="canary") == 1


def test_a_killed_server_comes_back_on_what_is_recorded(workspace: Workspace) -> None:
    promote("m-2", workspace, who="ann")
    for expected in ("m-2", "m-1", "m-2"):
        program = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("following.py")), str(workspace.root)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert program.stdout is not None
        try:
            url = program.stdout.readline().strip()
            reply = asyncio.run(closed_loop(url + "/v1/predict", [b'{"text":"a"}'], clients=4, requests=40))
            assert reply.statuses == {200: 40} and json.loads(reply.last)["release"] == expected
            if expected == "m-2":
                promote("m-1", workspace, who="ann")
            else:
                (workspace.releases / "m-1" / "model.safetensors").write_bytes(b"damaged!")
        finally:
            os.kill(program.pid, signal.SIGKILL)
            program.wait()
            program.stdout.close()
