"""The whole way of rows of several modalities: half of what is to be told stands in the text, half in the image."""

from __future__ import annotations

import base64
import csv
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

import tuneloop as tl
from tests.media import square, tone, wav, write_tiny_vit
from tuneloop import api
from tuneloop.cli.app import run as command
from tuneloop.core.config import RunConfig, ServeConfig, parse_config
from tuneloop.core.paths import Workspace
from tuneloop.inference import measure
from tuneloop.media import store
from tuneloop.media.items import compose
from tuneloop.releases.read import Release
from tuneloop.serve.app import create_app
from tuneloop.serve.server import Server, listen
from tuneloop.training import loop
from tuneloop.training.run import open_run

WAIT_S = 60
ROWS, FEW = 120, 60


def rows(count: int = ROWS) -> list[dict[str, Any]]:
    """Texts that are good or bad beside images that are red or blue, sounds, prices and shops that say the colour."""
    random = np.random.default_rng(0)
    made = []
    for number in range(count):
        mood, colour = ("good", "bad")[number % 2], ("red", "blue")[number // 2 % 2]
        words = [*random.choice(list("abcdefghijklmno"), 3), mood]
        price = (10 if colour == "red" else 2) + random.random()
        made.append(
            {
                "text": " ".join(random.permutation(words)), "image": f"files/{number}.png",
                "sound": f"files/{number}.wav", "price": f"{price:.3f}", "shop": random.choice(["north", "south"]),
                "label": f"{mood} {colour}", "mood": mood, "colour": colour,
            }
        )  # fmt: skip
    return made


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def draw(folder: Path, rows: list[dict[str, Any]]) -> None:
    """The files that rows name."""
    (folder / "files").mkdir(exist_ok=True)
    for number, row in enumerate(rows):
        (folder / row["image"]).write_bytes(square(row["colour"], number))
        (folder / row["sound"]).write_bytes(wav(tone(1500 if row["colour"] == "red" else 300, phase=number)))


@dataclass
class Project:
    """A folder with data.csv and its files, and encoders."""

    folder: Path
    model: Path

    @property
    def workspace(self) -> Path:
        return self.folder / "work"

    def config(
        self, modality: str, columns: dict[str, Any], *, task: str = "classification", source: str = "few.csv",
        **training: Any,
    ) -> RunConfig:  # fmt: skip
        plain = {"batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
        return parse_config(
            {
                "name": "small", "modality": modality, "task": task, "workspace": str(self.workspace),
                "data": {"source": str(self.folder / source), "columns": columns},
                "model": {"source": str(self.model), "max_tokens": 12},
                "fusion": {
                    "type": "late" if modality == "text+image" else "cross_attention",
                    "image": str(self.folder / "vit"), "audio": "scratch", "max_seconds": 1, "width": 32,
                },
                "training": plain | training, "evaluation": {"resamples": 100}, "release": {"forms": []},
                "audit": {"rows": 40},
            }
        )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _timed_for_a_moment() -> Iterator[None]:
    """How fast an engine is, is measured for two seconds else."""
    measured = measure.measure_engine
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "measure_engine", lambda *given, seconds: measured(*given, seconds=0.05))
        yield


@pytest.fixture(scope="module")
def project(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("modalities")
    write_tiny_vit(folder / "vit")
    write(folder / "data.csv", rows())
    write(folder / "few.csv", rows(FEW))
    draw(folder, rows())
    return Project(folder, tiny_model)


@pytest.fixture(scope="module")
def release(project: Project) -> Release:
    run = tl.tune(project.config("text+image", {"image": "image"}, source="data.csv", epochs=12), quiet=True)
    return tl.release(run, workspace=project.workspace, quiet=True)


def test_text_and_image_are_both_needed_and_what_is_there_is_used(project: Project, release: Release) -> None:
    figures = json.loads((release.path / "evaluation.json").read_text())["metrics"]
    assert figures["accuracy"]["value"] > 0.9
    given = [
        {"text": "a good b", "image": square("red", 900)},
        {"text": "a bad b", "image": square("blue", 901)},
        {"text": "c bad d"},
        {"image": square("red", 902)},
        "c good d",
    ]
    found = release.predict(given)
    assert [each.label for each in found[:2]] == ["good red", "bad blue"]
    for each, word in zip(found[2:], ["bad", "red", "good"], strict=True):  # half of the label, which is all there is
        assert sum(share for label, share in each.probabilities.items() if word in label) > 0.8
        assert max(each.probabilities.values()) < 0.999


def test_a_release_answers_the_same_in_every_form_and_over_http(release: Release) -> None:
    assert release.info["served"]["agreement"] == 1 and release.info["served"]["max_difference"] < 1e-3
    forms = release.info["forms"]
    assert forms.keys() == {"torch-fp32", "torch-bf16"} and all(form["accepted"] for form in forms.values())


def test_a_file_of_rows_comes_back_with_answers(project: Project, release: Release, tmp_path: Path) -> None:
    more = rows(8)
    more[3]["image"] = ""
    draw(tmp_path, rows(8))
    write(tmp_path / "new.csv", more)
    output = tmp_path / "out.csv"
    assert (
        api.predict_file("small", str(tmp_path / "new.csv"), output=output, workspace=project.workspace, quiet=True)
        == 8
    )
    with output.open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["image"] for row in found] == [row["image"] for row in more]
    assert [row["prediction"] for row in found[:3]] == [row["label"] for row in more[:3]]


def test_a_labelled_file_of_its_own_is_evaluated(project: Project, release: Release, tmp_path: Path) -> None:
    draw(tmp_path, rows(12))
    path = write(tmp_path / "own.csv", rows(12))
    assert tl.evaluate(release, data=path, workspace=project.workspace, quiet=True)["rows"] == 12


@pytest.mark.parametrize("scale", ["probability", "log_odds"])
def test_what_each_modality_adds_sums_to_the_answer_exactly(project: Project, release: Release, scale: str) -> None:
    item = {"text": "a good b", "image": square("red", 900)}
    found = api.explain(release, item, options={"unit": "modality", "scale": scale})
    assert found.text == "a good b\n[image]" and [unit.text for unit in found.units] == ["a good b", "[image]"]
    assert found.error_kind == "exact" and found.label == "good red"
    assert sum(found.values) == pytest.approx(found.output - found.base, abs=1e-6)
    assert found.output > found.base and all(found.values)
    predicted = [release.predict([each])[0].probabilities["good red"] for each in (item, {"text": "a good b"})]
    if scale == "probability":
        assert found.output == pytest.approx(predicted[0], abs=1e-6)
        nothing, image = found.base, release.predict([{"image": item["image"]}])[0].probabilities["good red"]
        both = (predicted[0] - image + predicted[1] - nothing) / 2  # of two orders, as Shapley has it
        assert found.values[0] == pytest.approx(both, abs=1e-6)


def test_words_and_an_image_are_explained_side_by_side(
    project: Project, release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "red.png"
    path.write_bytes(square("red", 900))
    page = tmp_path / "page.html"
    arguments = ["explain", "small", "a good b", "--image", str(path), "--html", str(page), "--json"]
    assert command([*arguments, "--workspace", str(project.workspace)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [unit["text"] for unit in found["units"]] == ["a", "good", "b", "[image]"]
    values = [unit["value"] for unit in found["units"]]
    assert sum(values) == pytest.approx(found["output"] - found["base"], abs=1e-6)
    assert values[1] > 0 < values[3] and "[image]" in page.read_text()
    assert (
        command(["explain", "small", "a", "--image", str(tmp_path / "none.png"), "--workspace", str(project.workspace)])
        == 2
    )
    assert "none.png cannot be read" in capsys.readouterr().err


def test_the_audit_tells_what_is_lost_without_each_modality(project: Project, release: Release) -> None:
    found = tl.audit(release, only=("modalities", "robustness"), workspace=project.workspace, quiet=True)["audits"]
    figures = {name: figure["value"] for name, figure in found["modalities"]["figures"].items()}
    assert figures.keys() == {
        "score",
        *(f"{kind}.{name}" for kind in ("without", "only", "loss") for name in ("text", "image")),
    }
    assert figures["score"] > 0.9 and figures["without.text"] == figures["only.image"] < 0.7 > figures["without.image"]
    assert figures["loss.image"] == pytest.approx(figures["score"] - figures["without.image"])
    assert found["modalities"]["findings"] == []
    assert "made of several modalities" in json.dumps(found["robustness"])


@dataclass
class Live:
    """A running server."""

    server: Server

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        place = urlsplit(self.server.url)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=WAIT_S)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def predict(self, **body: Any) -> tuple[int, Any]:
        return self.post("/v1/predict", body)


@pytest.fixture(scope="module")
def serve(project: Project) -> Iterator[Callable[[str], Live]]:
    """What starts a server for a release."""
    running: list[tuple[Server, threading.Thread]] = []

    def start(name: str) -> Live:
        app = create_app(name, workspace=Workspace(project.workspace), config=ServeConfig(port=0))
        ready = threading.Event()
        server = Server(app, listen("127.0.0.1", 0), ready=lambda _: ready.set())
        thread = threading.Thread(target=server.serve_until_stopped)
        thread.start()
        running.append((server, thread))
        assert ready.wait(WAIT_S), server.service.failure
        return Live(server)

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(WAIT_S)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def live(release: Release, serve: Callable[[str], Live]) -> Live:
    return serve(release.id)


def uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def test_a_served_request_is_answered_as_in_python(live: Live, release: Release) -> None:
    image = square("red", 900)
    status, one = live.predict(text="a good b", image=uri(image))
    assert status == 200
    expected = release.predict([{"text": "a good b", "image": image}, {"image": image}, "a good b"])
    assert one["predictions"][0]["label"] == expected[0].label == "good red"
    texts = [{"text": "a good b", "image": uri(image)}, {"image": uri(image)}, "a good b", {"text": "a good b"}]
    status, several = live.predict(texts=texts)
    assert status == 200
    for found, wanted in zip(several["predictions"], [*expected, expected[2]], strict=True):
        assert found["probabilities"] == pytest.approx(wanted.probabilities, abs=1e-5)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"text": "a", "image": "files/0.png"}, "image: It is no data URI"),
        ({"text": "a", "image": "/etc/passwd"}, "image: It is no data URI"),
        ({"text": "a", "image": "file:///etc/passwd"}, "image: It is no data URI"),
        ({"text": "a", "image": "https://example.org/a.png"}, "image: It is no data URI"),
        ({"text": "a", "image": "0" * 64}, "image: It is no data URI"),
        ({"text": "a", "image": "data:image/png;base64,***"}, "image: A data URI is no base64"),
        ({"text": "a", "image": "data:image/png;base64,\u00e9"}, "image: A data URI is no base64"),
        ({"text": "a", "image": uri(square("red")[:80])}, "image: This is no image that can be read"),
        ({"text": "a", "image": uri(wav(tone(440)))}, "image: This is no image that can be read"),
        ({"text": "a", "audio": uri(b"", "audio/wav")}, "audio: This is no sound that can be read"),
        ({"text": "a", "audio": uri(wav(tone(440)), "audio/wav")}, "judges text, image, and was given audio, text"),
        ({"text": "a", "tabular": {"price": 3}}, "judges text, image, and was given tabular, text"),
        ({"text": ""}, "was given nothing"),
        ({"texts": ["a", {}]}, "was given nothing"),
        ({"text": "a", "image": 5}, "image"),
        ({"text": "a", "images": []}, "There is no field images"),
        ({"text": "a", "pair": "b"}, "this model judges single texts"),
    ],
)
def test_what_the_model_cannot_be_given_is_a_clear_422(live: Live, body: Any, complaint: str) -> None:
    for path in ("/v1/predict", *(["/v1/explain"] if "texts" not in body and "pair" not in body else [])):
        status, found = live.post(path, body)
        assert status == 422, (path, found)
        assert path == "/v1/explain" or complaint in found["detail"], found
    assert live.predict(text="a good b")[0] == 200


def test_a_text_that_looks_like_an_item_is_a_text_and_no_file_of_the_server(live: Live, project: Project) -> None:
    digest = store.keep((project.folder / "files/0.png").read_bytes(), Workspace(project.workspace).media)
    status, found = live.predict(texts=[compose({"image": digest}), compose({"image": "0" * 64})])
    assert status == 200  # words that the model does not know
    one, other = (each["probabilities"] for each in found["predictions"])
    _, read = live.predict(image=uri((project.folder / "files/0.png").read_bytes()))
    assert one == pytest.approx(other, abs=1e-6) != read["predictions"][0]["probabilities"]


def test_a_served_answer_is_explained_by_modality(live: Live) -> None:
    body = {"text": "a good b", "image": uri(square("red", 900)), "unit": "modality"}
    status, found = live.post("/v1/explain", body)
    assert status == 200 and [unit["text"] for unit in found["units"]] == ["a good b", "[image]"]
    assert sum(unit["value"] for unit in found["units"]) == pytest.approx(found["output"] - found["base"], abs=1e-5)


OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text+tabular": ({"tabular": ["price", "shop"]}, {"text": "a good b", "tabular": {"price": 10.5, "shop": "north"}}),
    "tabular": ({"tabular": ["price"], "label": "colour"}, {"tabular": {"price": "10.5"}}),
    "image": ({"image": "image", "label": "colour"}, {"image": uri(square("red"))}),
    "audio": ({"audio": "sound", "label": "colour"}, {"audio": uri(wav(tone(1500)), "audio/wav")}),
}


@pytest.mark.parametrize("modality", OTHERS)
def test_other_modalities_alone_and_together_go_the_whole_way(
    project: Project, serve: Callable[[str], Live], modality: str
) -> None:
    columns, body = OTHERS[modality]
    run = tl.tune(project.config(modality, columns, epochs=1), quiet=True)
    figures = tl.evaluate(run, workspace=project.workspace, quiet=True)["metrics"]
    assert all(np.isfinite(figure["value"]) for figure in figures.values())
    made = tl.release(run, workspace=project.workspace, quiet=True)
    assert made.info["served"]["agreement"] == 1
    live = serve(made.id)  # which answers nobody before it has answered to itself
    status, found = live.predict(**body)
    assert status == 200 and found["predictions"][0]["label"] in {row["label"] for row in rows()} | {"red", "blue"}
    if "text" not in modality:
        assert live.predict(text="a good b")[0] == 422
    other = {"text": "a"} if "text" not in modality else {"image": uri(square("red"))}
    assert live.predict(**body | other)[0] == 422


def test_images_are_found_by_a_text(project: Project, serve: Callable[[str], Live]) -> None:
    run = tl.tune(project.config("text+image", {"image": "image"}, task="retrieval", epochs=1), quiet=True)
    found = tl.evaluate(run, workspace=project.workspace, quiet=True)
    assert all(np.isfinite(figure["value"]) for figure in found["metrics"].values())
    made = tl.release(run, workspace=project.workspace, quiet=True)
    image = square("red", 900)
    (expected,) = made.predict([("a good b", {"image": image})])
    status, answer = serve(made.id).predict(text="a good b", image=uri(image))
    assert status == 200 and answer["predictions"][0]["label"] == pytest.approx(expected.label, abs=1e-5)


def test_a_run_that_was_interrupted_ends_like_one_that_was_not(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {"epochs": 2, "checkpoint_every_steps": 4, "schedule": "constant", "warmup": 0}
    config = project.config("text+image+tabular", {"image": "image", "tabular": ["price", "shop"]}, **more)
    config = config.model_copy(
        update={"fusion": config.fusion.model_copy(update={"type": "cross_attention", "dropout": 0.5})}
    )
    whole = tl.tune(config, quiet=True)

    def interrupted(*_: object) -> float:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "rate_factor", lambda step, **_: interrupted() if step == 9 else 1.0)
        with pytest.raises(KeyboardInterrupt):
            tl.tune(config, quiet=True)
    done = tl.tune(config, resume="latest", quiet=True)
    assert done.id != whole.id and open_run(done.id, Workspace(project.workspace)).status == "finished"
    file = Path("model", "model.safetensors")
    assert (done.path / file).read_bytes() == (whole.path / file).read_bytes()
