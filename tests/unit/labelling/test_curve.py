"""Learning curves: fitted, carried on, and what is advised."""

from __future__ import annotations

import numpy as np
import pytest

from tests.audited import hotel_rows
from tuneloop import api
from tuneloop.cli.label_forecast import advice, show_forecast
from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.i18n import use_language
from tuneloop.labelling.curve import Measured, decide, fit, forecast, labels_for
from tuneloop.labelling.measuring import measure_curve
from tuneloop.tasks import create_task

SIZES = np.array([50.0, 100, 200, 400, 800])


def measured(
    *, floor: float = 0.2, size: float = 2.0, power: float = 0.5, noise: float = 0.01, seed: int = 0
) -> Measured:
    random = np.random.default_rng(seed)
    scores = 1 - floor - size * SIZES**-power + random.normal(size=(10, len(SIZES))) * noise
    return Measured(SIZES, scores)


def test_an_exact_power_law_is_found_again() -> None:
    floor, size, power = fit(SIZES, measured(noise=0).scores)[0]
    assert (floor, size) == (pytest.approx(0.2, abs=0.01), pytest.approx(2, rel=0.05))
    assert power == pytest.approx(0.5, rel=0.03)


def test_a_floor_below_zero_is_none() -> None:
    floors = fit(SIZES, measured(floor=-0.1, power=0.2, size=1.5, noise=0).scores)[:, 0]
    assert (floors >= 0).all()


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        found = forecast(measured(seed=seed), now=800, more=800, worth=0.005, seed=seed, resamples=200)
        truth = 2.0 * (800**-0.5 - 1600**-0.5)
        held += found.gain[1] <= truth <= found.gain[2]
    assert held >= 48  # 57 of 60 are promised; a bootstrap of ten runs is a little too sure


def test_runs_that_share_rows_make_a_wider_interval() -> None:
    own, shared = (
        forecast(Measured(SIZES, measured().scores, held_out=share), now=800, more=800, worth=0.005)
        for share in (0, 0.25)
    )
    assert shared.then[2] - shared.then[1] > 1.3 * (own.then[2] - own.then[1])
    assert shared.then[0] == own.then[0]


def test_the_advice_follows_the_interval_and_costs_are_sums() -> None:
    assert decide(0.006, 0.02, worth=0.005) == "go"
    assert decide(-0.01, 0.004, worth=0.005) == "stop"
    assert decide(0.0, 0.02, worth=0.005) == "unclear"
    steep = forecast(measured(noise=0.001), now=800, more=800, worth=0.005, price=0.1, seconds=18)
    assert (steep.verdict, steep.cost, steep.hours) == ("go", pytest.approx(80), pytest.approx(4))
    flat = forecast(measured(size=0.05, power=1.0, noise=0.0005), now=800, more=800, worth=0.005)
    assert flat.verdict == "stop" and flat.to_json()["gain"]["high"] < 0.005


def test_labels_for_a_score_and_none_beyond_the_limit() -> None:
    curve = forecast(measured(noise=0), now=800, more=1, worth=0.005).curve
    needed = labels_for(curve, 0.75)
    assert needed is not None and curve.score(needed) >= 0.75 > curve.score(needed - 1)
    assert labels_for(curve, 0.9) is None


def test_a_curve_of_real_models_rises() -> None:
    """Bags of words of made-up texts: more labels are better, and held-out rows judge."""
    from sklearn.feature_extraction.text import CountVectorizer

    rows = hotel_rows(200, seed=1)
    vectors = CountVectorizer().fit_transform(rows.texts).toarray().astype(np.float64)
    task = create_task(TaskConfig(type="classification"), {"labels": ["no", "yes"]})
    found = measure_curve(vectors, rows.labels, task, runs=4, quiet=True)
    assert found.labels[-1] == 160 and found.scores.shape == (4, 7)
    assert found.scores[:, -1].mean() > found.scores[:, 0].mean() + 0.1
    assert np.array_equal(found.scores, measure_curve(vectors, rows.labels, task, runs=4, quiet=True).scores)


def test_too_little_is_refused() -> None:
    task = create_task(TaskConfig(type="classification"), {"labels": ["no", "yes"]})
    with pytest.raises(DataError, match="one text of the class yes"):
        measure_curve(np.eye(9), ["no"] * 8 + ["yes"], task, quiet=True)
    with pytest.raises(DataError, match="too few"):
        measure_curve(np.eye(4), ["no", "yes"] * 2, task, quiet=True)
    with pytest.raises(DataError, match="2 sizes"):
        forecast(Measured(SIZES[:2], np.ones((5, 2))), now=100, more=1, worth=0.1)
    with pytest.raises(ConfigError, match="not of regression"):
        api.label_forecast({"data": {"source": "x.csv"}, "task": "regression"})


def test_a_project_is_told_what_more_labels_bring(texts_csv, tiny_model, monkeypatch) -> None:
    monkeypatch.chdir(texts_csv.parent)
    settings = {
        "data": {"source": str(texts_csv)},
        "task": "classification",
        "model": {"source": str(tiny_model)},
        "forecast": {"price": 0.5, "seconds": 36, "goal": 0.4, "runs": 4},
    }
    found = api.label_forecast(settings, more=100, quiet=True)
    assert (found["cost"], found["hours"], found["metric"]) == (50, 1, "macro_f1")
    assert found["gain"]["low"] <= found["gain"]["value"] <= found["gain"]["high"]
    assert found["goal"]["labels"] < found["labels"] < 195
    assert found["verdict"] in ("go", "stop", "unclear") and len(found["measured"]) >= 4


def test_the_command_says_what_to_do_in_both_languages(capsys) -> None:
    figure = {"value": 0.7, "low": 0.68, "high": 0.72}
    found = {
        "labels": 500, "more": 500, "score": figure, "then": figure, "limit": figure, "metric": "macro_f1",
        "gain": {"value": 0.012, "low": 0.006, "high": 0.019}, "cost": 40.0, "hours": 2.1, "worth": 0.005,
        "measured": [{"labels": 400, "score": 0.69}], "verdict": "go", "goal": {"score": 0.75, "labels": 4000},
    }  # fmt: skip
    show_forecast(found)
    shown = capsys.readouterr()
    assert "0.690" in shown.out and "1000" in shown.out.replace(",", "")
    for words in ("+1.2 points (+0.6 to +1.9)", "40.00", "4,000 labels", "at least 0.5 points"):
        assert words in shown.err
    assert "even the high end" in advice(found | {"verdict": "stop"}) and "ask again" in advice(found | {"verdict": ""})
    use_language("zh")
    try:
        show_forecast(found | {"goal": {"score": 0.75, "labels": None}})
    finally:
        use_language(None)
    assert "+1.2 个百分点" in capsys.readouterr().err
