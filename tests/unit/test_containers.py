"""The image, the compose file and the manifests: valid by their schemas, and true of the code that they start.

No image is built and no cluster is started here; whatever they name of this repository is looked up in it.
"""

from __future__ import annotations

import copy
import json
import math
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from tests.unit.serve.conftest import WAIT_S, FakeHandle
from tuneloop.cli.app import app as commands
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.paths import Workspace
from tuneloop.serve.app import create_app
from tuneloop.serve.security import PUBLIC
from tuneloop.serve.server import FAREWELL_S, Server, listen
from tuneloop.serve.slot import ServedModel

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
KEY = "k" * 32
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
OBJECTS = [
    (path.name, each)
    for path in sorted(FOLDER.glob("*.yaml"))
    for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]
VERSIONS = ["1.30", "1.37"]
"""The first in which `preStop.sleep` is on by default, and the newest that is known."""


def of_kind(kind: str, name: str = "tuneloop") -> Any:
    (found,) = [each for _, each in OBJECTS if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def pod(kind: str = "Deployment", name: str = "tuneloop") -> Any:
    return of_kind(kind, name)["spec"]["template"]["spec"]


def instructions(name: str) -> list[str]:
    """What stands behind an instruction of the Dockerfile, continued lines joined."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.partition(" ")[2].strip() for line in joined.splitlines() if line.startswith(f"{name} ")]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("file", "manifest"), OBJECTS, ids=[f"{each['kind']}-{name}" for name, each in OBJECTS])
def test_every_manifest_is_valid(file: str, manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    kubernetes_validate.validate(manifest, version, strict=True)
    broken = copy.deepcopy(manifest)
    broken["metadata"]["nmae"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, version, strict=True)


def test_the_compose_file_is_valid() -> None:
    schema = json.loads((ROOT / "tests" / "schemas" / "compose-spec.json").read_text(encoding="utf-8"))
    check = jsonschema.Draft7Validator(schema)
    assert [error.message for error in check.iter_errors(COMPOSE)] == []
    broken = copy.deepcopy(COMPOSE)
    broken["services"]["server"]["port"] = ["8000:8000"]
    assert list(check.iter_errors(broken))


def started(arguments: list[str]) -> None:
    """Whether `tuneloop` takes these arguments: its own words, and an option for each dash."""
    group = typer.main.get_command(commands)
    command = group.commands[arguments[0]]  # type: ignore[attr-defined]
    context = command.make_context(arguments[0], list(arguments[1:]))
    assert context.params["host"] == "0.0.0.0" and context.params["port"] == 8000


def test_both_start_the_server_with_options_that_it_has() -> None:
    started(COMPOSE["services"]["server"]["command"])
    started(pod()["containers"][0]["args"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (entry,) = instructions("ENTRYPOINT")
    assert json.loads(entry)[0] in project["scripts"]
    assert {port for port in instructions("EXPOSE")} == {"8000"}


def test_every_variable_that_they_set_is_read_by_the_code() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    named = {*COMPOSE["services"]["server"]["environment"], *of_kind("ConfigMap")["data"]}
    named |= {each["name"] for each in pod()["containers"][0]["env"]}
    named |= set(re.findall(r"TUNELOOP_\w+(?==)", DOCKERFILE))
    own = {name for name in named if name.startswith("TUNELOOP_")} - {"TUNELOOP_MODEL"}
    assert len(own) >= 5 and {name for name in own if f'"{name}"' not in sources} == set()
    assert "$(TUNELOOP_MODEL)" in pod()["containers"][0]["args"]


def test_the_image_is_made_of_files_and_extras_that_there_are() -> None:
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    for line in instructions("COPY"):
        if "--from" in line:
            continue
        *sources, _ = line.split()
        for source in sources:
            assert (ROOT / source).exists() and f"!{source}" in rules, source
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = [line.removeprefix("EXTRAS=") for line in instructions("ARG") if line.startswith("EXTRAS=")]
    assert set(extras.split(",")) <= project["optional-dependencies"].keys()
    assert {"serve", "postgres", "onnx", "openvino"} <= set(extras.split(","))
    (torch,) = re.findall(r"torch==([\d.]+)", DOCKERFILE)
    assert f"\ntorch=={torch}\n" in (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert project["requires-python"] == ">=3.11" and all("python:3.11-slim" in line for line in instructions("FROM"))


def test_nothing_secret_gets_into_a_layer() -> None:
    first, *rules = [line for line in (ROOT / ".dockerignore").read_text().split("\n") if line and line[0] != "#"]
    assert first == "*"  # all but what is named stays outside
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]
    for secret in (".env", ".git", ".tuneloop", "secret.key", "database.url", ".pgpass", "tests", "tuneloop.yaml"):
        assert not any(fnmatch(secret, rule) for rule in allowed)
    for line in instructions("ENV") + instructions("ARG"):
        assert not re.search(r"KEY|SECRET|PASSWORD|TOKEN", line)


def test_every_process_is_of_nobody_in_particular_and_cannot_write_elsewhere() -> None:
    assert instructions("USER")[-1] == "10001:10001"
    for kind, name in (("Deployment", "tuneloop"), ("StatefulSet", "postgres")):
        spec = pod(kind, name)
        assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] > 0
        assert not spec["automountServiceAccountToken"]
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert {"requests", "limits"} == container["resources"].keys()
    server = COMPOSE["services"]["server"]
    assert server["read_only"] and server["cap_drop"] == ["ALL"]
    written = {each["mountPath"] for each in pod()["containers"][0]["volumeMounts"] if not each.get("readOnly")}
    assert written == {"/workspace", "/tmp"} == {server["volumes"][0].partition(":")[2], *server["tmpfs"]}


def test_only_the_server_is_published_and_only_to_this_machine() -> None:
    for name, service in COMPOSE["services"].items():
        ports = service.get("ports", [])
        assert all(port.startswith("127.0.0.1:") for port in ports) and bool(ports) == (name == "server")
    first, last = map(int, re.findall(r"127\.0\.0\.1:(\d+)-(\d+):8000", COMPOSE["services"]["server"]["ports"][0])[0])
    assert last - first + 1 >= COMPOSE["services"]["server"]["deploy"]["replicas"] >= 2


def test_no_key_stands_in_a_file() -> None:
    for name in ("PGPASSWORD",):
        assert COMPOSE["services"]["server"]["environment"][name].startswith("${")
    assert all(set(each) == {"environment"} for each in COMPOSE["secrets"].values())
    assert not [each for _, each in OBJECTS if each["kind"] == "Secret"]
    for kind, name in (("Deployment", "tuneloop"), ("StatefulSet", "postgres")):
        for variable in pod(kind, name)["containers"][0]["env"]:
            if re.search(r"PASSWORD|KEY|DATABASE", variable["name"]) and "FILE" not in variable["name"]:
                assert "secretKeyRef" in variable["valueFrom"]


def test_what_is_named_of_a_secret_stands_on_the_page() -> None:
    keys = set(re.findall(r"secretKeyRef: \{name: tuneloop, key: ([\w-]+)", "".join(texts())))
    keys |= {each["key"] for volume in pod()["volumes"] for each in volume.get("secret", {}).get("items", [])}
    assert {"database", "api-key", "hash-secret", "postgres-password"} <= keys
    for page in ("kubernetes.md", "kubernetes.zh-CN.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert {key for key in keys if f"--from-literal={key}=" not in text} == set()


def texts() -> Iterator[str]:
    for path in FOLDER.glob("*.yaml"):
        yield path.read_text(encoding="utf-8")


def test_everything_selects_the_same_pods_and_there_are_always_two() -> None:
    deployment = of_kind("Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == of_kind("Service")["spec"]["selector"] == labels
    assert of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    scaler = of_kind("HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["name"] == "tuneloop"
    assert deployment["spec"]["replicas"] >= 2 and scaler["minReplicas"] >= 2
    (container,) = pod()["containers"]
    (port,) = of_kind("Service")["spec"]["ports"]
    assert port["targetPort"] == container["ports"][0]["name"] and container["ports"][0]["containerPort"] == 8000
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in pod()["volumes"]}


def test_there_is_time_to_answer_what_was_accepted() -> None:
    config = ServeConfig()
    longest_s = FAREWELL_S + math.ceil(max(config.deadline_s, config.writing_deadline_s)) + 5
    sleep_s = pod()["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod()["terminationGracePeriodSeconds"] >= sleep_s + longest_s
    assert int(COMPOSE["services"]["server"]["stop_grace_period"].removesuffix("s")) >= longest_s


@pytest.fixture
def served(tmp_path: Path) -> Iterator[int]:
    """The port of a server that wants the key."""
    app = create_app(
        "m-1", workspace=Workspace(tmp_path), config=ServeConfig(port=0), api_key=KEY,
        open_model=lambda name: ServedModel(name, "fake", FakeHandle()),
    )  # fmt: skip
    ready, listener = threading.Event(), listen("127.0.0.1", 0)
    server = Server(app, listener, ready=lambda _: ready.set())
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.serve_until_stopped)
    thread.start()
    assert ready.wait(WAIT_S)
    yield port
    server.should_exit = True
    thread.join(WAIT_S)


def code_of(command: list[str], port: int, key_file: Path) -> int:
    """The exit code of a probe, against this port."""
    program = [sys.executable, *(part.replace(":8000", f":{port}") for part in command[1:])]
    asked = subprocess.run(program, env={"TUNELOOP_API_KEY_FILE": str(key_file)}, capture_output=True, timeout=WAIT_S)
    return asked.returncode


def test_probes_ask_routes_that_there_are_and_tell_ready_from_not(served: int, tmp_path: Path) -> None:
    (container,) = pod()["containers"]
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"] in PUBLIC  # the kubelet has no key
    key, wrong = tmp_path / "key", tmp_path / "wrong"
    key.write_text(KEY + "\n")
    wrong.write_text("x" * 32)
    ready = container["readinessProbe"]["exec"]["command"]
    assert code_of(ready, served, key) == 0
    assert code_of(ready, served, wrong) != 0
    (health,) = [line.partition("CMD ")[2] for line in instructions("HEALTHCHECK")]
    assert code_of(json.loads(health), served, key) == 0
    assert code_of(json.loads(health), 9, key) != 0
