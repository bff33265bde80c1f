"""Folders in an object store: there whole or not at all, never another's, and the same bytes when they come back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.moto import s3 as s3
from tests.moto import s3_server as s3_server
from tests.releases import make_release
from tuneloop.cli.app import run
from tuneloop.cli.show import workspace_root
from tuneloop.core.errors import ConfigError, ReleaseError, StorageError
from tuneloop.core.object_store import ObjectStore, url_of
from tuneloop.core.paths import Workspace
from tuneloop.releases import index
from tuneloop.releases.manifest import write_manifest
from tuneloop.releases.promotion import promote, rollback
from tuneloop.releases.read import open_release
from tuneloop.releases.remote import pull, push

BOTH = pytest.mark.parametrize("url", ["file", pytest.param("s3", marks=pytest.mark.long)], indirect=True)


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store: a folder, or S3."""
    if getattr(request, "param", "file") == "s3":
        return str(request.getfixturevalue("s3"))
    return (tmp_path / "store").as_uri()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two releases, a finished run with a checkpoint, one that is not finished, and a snapshot."""
    made = Workspace(tmp_path / "w")
    for number in (1, 2):
        make_release(made, f"m-{number}")
    for name, status in (("m-run", "finished"), ("m-now", "unfinished")):
        folder = made.runs / name
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "model" / "deep").mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"status": status}))
        (folder / "checkpoints" / "1.bin").write_bytes(b"c" * 1000)
        (folder / "model" / "deep" / "weights").write_bytes(b"w" * 3_000_000)
    (made.snapshots / "x-0123").mkdir(parents=True)
    (made.snapshots / "x-0123" / "dataset.json").write_text("{}")
    (made.snapshots / "x-0123" / "empty").write_bytes(b"")
    return made


@pytest.fixture
def other(tmp_path: Path) -> Workspace:
    """Nothing, on another machine."""
    return Workspace(tmp_path / "other")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fails_at(number: int, method: Callable[..., Any]) -> Callable[..., Any]:
    """The method until it was called so often; then the network is gone."""
    calls = 0

    def called(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            raise StorageError("The network is gone.")
        return method(*given)

    return called


@BOTH
def test_what_was_sent_comes_back_byte_for_byte_and_is_sent_once(
    url: str, workspace: Workspace, other: Workspace
) -> None:
    sent = push(url, workspace=workspace, quiet=True)
    assert [each.name for each in sent] == ["snapshots/x-0123", "runs/m-run", "releases/m-1", "releases/m-2"]
    assert all(each.files for each in sent)
    assert [each.files for each in push(url, workspace=workspace, quiet=True)] == [0, 0, 0, 0]
    pull(url, workspace=other, quiet=True)
    for kind in ("snapshots", "releases"):
        assert contents(other.root / kind) == contents(workspace.root / kind)
    assert contents(other.runs).keys() == {"m-run/run.json", "m-run/model/deep/weights"}
    assert index.rows(other) == index.rows(workspace)
    assert contents(other.cache) == {}
    assert [each.files for each in pull(url, workspace=other, quiet=True)] == [0, 0, 0, 0]


@BOTH
def test_an_interrupted_push_shows_nothing_and_the_next_one_goes_on(
    url: str, workspace: Workspace, other: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "put", fails_at(3, ObjectStore.put))
        with pytest.raises(StorageError, match="The network is gone"):
            push(url, ["m-2"], workspace=workspace, quiet=True)
    assert ObjectStore(url).names("releases") == []
    with pytest.raises(ReleaseError, match="nothing finished called m-2"):
        pull(url, ["m-2"], workspace=other, quiet=True)
    (again,) = push(url, ["m-2"], workspace=workspace, quiet=True)
    assert 0 < again.files == len(contents(workspace.releases / "m-2")) - 2
    assert [each.name for each in pull(url, ["m"], workspace=other, quiet=True)] == ["releases/m-2"]


def test_an_interrupted_pull_leaves_nothing_half_there_and_the_next_one_goes_on(
    url: str, workspace: Workspace, other: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(url, workspace=workspace, quiet=True)
    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "get", fails_at(3, ObjectStore.get))
        with pytest.raises(StorageError, match="The network is gone"):
            pull(url, ["m-1"], workspace=other, quiet=True)
    assert list(other.releases.glob("*")) == [] and index.rows(other) == []
    (again,) = pull(url, ["m-1"], workspace=other, quiet=True)
    assert again.files == len(contents(workspace.releases / "m-1")) - 2
    assert open_release("m-1", other).id == "m-1"


@BOTH
def test_a_changed_object_is_told_and_never_kept(url: str, workspace: Workspace, other: Workspace) -> None:
    push(url, ["m-1"], workspace=workspace, quiet=True)
    store = ObjectStore(url)
    told = store.listed("releases", "m-1")
    assert told is not None
    digest = told["files"]["model.safetensors"]["sha256"]
    store._write(f"objects/{digest[:2]}/{digest}", lambda file: file.write(b"m-1 EVIL"))
    with pytest.raises(StorageError, match=f"{digest} is damaged"):
        pull(url, ["m-1"], workspace=other, quiet=True)
    assert not (other.releases / "m-1").exists() and index.rows(other) == []


def test_two_releases_of_one_name_never_replace_each_other(url: str, workspace: Workspace, other: Workspace) -> None:
    push(url, ["m-1"], workspace=workspace, quiet=True)
    make_release(other, "m-1", task="regression")
    for act in (push, pull):
        with pytest.raises(ReleaseError, match="m-1 is there already, with other content"):
            act(url, ["m-1"], workspace=other, quiet=True)
    assert open_release("m-1", other).info["config"]["task"]["type"] == "regression"
    pull(url, ["m-1"], workspace=Workspace(other.root / "third"), quiet=True)


def test_a_later_audit_takes_the_place_of_the_first(url: str, workspace: Workspace, other: Workspace) -> None:
    place = workspace.audits / "m-1"
    place.mkdir(parents=True)
    for said in ("first", "second"):
        (place / "audit.json").write_text(json.dumps(said))
        push(url, ["audits/m-1"], workspace=workspace, quiet=True)
        pull(url, workspace=other, quiet=True)
        assert json.loads((other.audits / "m-1" / "audit.json").read_text()) == said


def test_a_damaged_release_is_not_sent(url: str, workspace: Workspace) -> None:
    (workspace.releases / "m-1" / "model.safetensors").write_bytes(b"changed!")
    with pytest.raises(ReleaseError, match="damaged"):
        push(url, workspace=workspace, quiet=True)
    assert ObjectStore(url).names("releases") == []


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a\\..\\evil", "a//b"])
def test_a_list_that_would_write_elsewhere_is_refused(name: str, url: str, other: Workspace) -> None:
    store = ObjectStore(url)
    store.publish("runs", "m-run", {"version": 1, "files": {name: {"bytes": 1, "sha256": "0" * 64}}})
    with pytest.raises(StorageError, match=r"m-run\.json is damaged"):
        pull(url, workspace=other, quiet=True)
    assert not other.root.exists() or not contents(other.root)


@BOTH
def test_a_url_as_workspace_fetches_a_release_when_it_is_opened(
    url: str, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUNELOOP_CACHE", str(tmp_path / "cache"))
    push(url, workspace=workspace, quiet=True)
    assert run(["releases", "list", "--json", "-w", url]) == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == ["m-1", "m-2"]
    monkeypatch.setenv("TUNELOOP_WORKSPACE", url)
    copy = Workspace(workspace_root(None))
    assert not copy.releases.exists()
    promote("m-1", copy, who="ann")
    promote("m-2", copy, who="ann")
    assert open_release("m-2", copy).path.parent == copy.releases
    assert rollback("m", copy, who="ann").release == "m-1"  # which was never here
    assert contents(open_release("m-1", copy).path) == contents(workspace.releases / "m-1")
    make_release(workspace, "m-3")
    push(url, ["m-3"], workspace=workspace, quiet=True)
    assert [row.id for row in index.rows(Workspace(workspace_root(None)))] == ["m-1", "m-2", "m-3"]


def test_a_release_that_is_nowhere_says_how_to_send_it(
    url: str, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNELOOP_CACHE", str(tmp_path / "cache"))
    copy = Workspace(workspace_root(Path(url)))
    index.insert(index.find("m-1", workspace), copy)
    with pytest.raises(ReleaseError, match=r"tuneloop push .* releases/m-1"):
        open_release("m-1", copy)


def test_a_path_is_no_url_and_a_url_survives_being_a_path() -> None:
    assert url_of("s3://bucket/a") == url_of(Path("s3://bucket/a")) == "s3://bucket/a"
    assert url_of(Path("file:///tmp/a")) == "file:///tmp/a"
    assert url_of(".tuneloop") == url_of("/tmp/w") == url_of("C:/w") == ""
    with pytest.raises(ConfigError, match="A key stands in the URL") as caught:
        url_of("s3://AKIA:secret@bucket/a")
    assert "secret" not in str(caught.value)


def test_what_cannot_be_reached_or_is_unknown_is_one_clear_error(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["push", "nowhere://bucket", "-w", str(workspace.root)]) == 2
    assert "nowhere://bucket cannot be opened" in capsys.readouterr().err
    assert run(["push", "bucket", "-w", str(workspace.root)]) == 2
    assert "bucket is no URL of an object store" in capsys.readouterr().err


@BOTH
def test_the_commands_tell_what_they_copied(
    url: str, workspace: Workspace, other: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["push", url, "m-1", "-q", "-w", str(workspace.root)]) == 0
    assert "releases/m-1: 3 files copied" in capsys.readouterr().err
    assert run(["pull", url, "-q", "--json", "-w", str(other.root)]) == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "releases/m-1", "files": 3}]


def test_a_release_with_files_that_a_manifest_does_not_know_is_not_sent(url: str, workspace: Workspace) -> None:
    folder = workspace.releases / "m-1"
    (folder / "more").write_text("x")
    with pytest.raises(ReleaseError, match="damaged"):
        push(url, ["m-1"], workspace=workspace, quiet=True)
    write_manifest(folder)
    assert push(url, ["m-1"], workspace=workspace, quiet=True)[0].files == 4
