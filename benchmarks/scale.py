"""The tables of `docs/scale.md`, from recorded results alone.

    python -m benchmarks.scale [--price 0.10]

Costs are measured seconds of a machine times a price of its hour, which is an example: give your own.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.growth import DAY_S, DAYS, LOADS, POLICIES, REPLICAS
from benchmarks.results import HERE, QUALITY, read
from benchmarks.saturation import OURS
from tuneloop.core.fsio import write_text

DOCS = HERE.parent / "docs"
WORDS: dict[str, dict[str, Any]] = json.loads((HERE / "scale_words.json").read_text(encoding="utf-8"))
"""What stands above and in the tables, by language."""

BEGIN, END = "<!-- {}: written by python -m benchmarks.scale -->", "<!-- end of {} -->"
MILLION = 10**6
HOUR_S = 3600

Row = list[str]


def main() -> None:
    """Write the tables into both pages."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.split("\n")[0])
    parser.add_argument("--price", type=float, default=0.10, help="of an hour of the machine, in any money")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of scale.md and scale.zh-CN.md")
    options = parser.parse_args()
    found = {name: _read(name) for name in ("saturation", "growth", "store_rates", "methods")}
    found["results"] = {each["name"]: each for each in read()}
    for words in WORDS.values():
        path = options.docs / words["page"]
        text = path.read_text(encoding="utf-8")
        for name, table in tables(found, options.price, words).items():
            text = put(text, name, table)
        write_text(path, text)


def _read(name: str) -> Any:
    return json.loads((QUALITY / f"{name}.json").read_text(encoding="utf-8"))


def put(text: str, name: str, table: str) -> str:
    """A page with this table in the place of the one of its name.

    Raises:
        SystemExit: if the page has no such place.
    """
    begin, end = BEGIN.format(name), END.format(name)
    if begin not in text or end not in text:
        raise SystemExit(f"the page lacks the lines {begin} and {end}")
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{table}\n\n{end}{rest.split(end)[1]}"


def tables(found: dict[str, Any], price: float, words: dict[str, Any]) -> dict[str, str]:
    """Every table by its name, in one language."""
    made = {
        "predictions": _predictions(found, price), "fine-tunes": _fine_tunes(found["methods"], price),
        "saturation": _saturation(found["saturation"]), "check": _check(found["growth"]),
        "growth": _growth(found["growth"], words), "billion": _billion(found["growth"], words),
        "breaks": _breaks(found, words), "volumes": _volumes(found["growth"]),
    }  # fmt: skip
    about = {
        "measured": _about(found["saturation"]), "stores": _about(found["store_rates"]), "price": f"{price:.2f}",
        "bf16": f"{found['growth']['bf16_per_s']:.0f}",
        "limit": f"{found['growth']['limit_ms']:g}", "peak": f"{found['growth']['peak_factor']:g}",
        **{key: str(value) for key, value in found["growth"]["replica"].items()},
    }  # fmt: skip
    return {
        name: "\n".join([words["above"][name].format(**about), "", *_lines(words["heads"][name], rows, found)])
        for name, rows in made.items()
    }


def _lines(head: Row, rows: list[Row], found: dict[str, Any]) -> list[str]:
    head = [each.format(*REPLICAS, limit=f"{found['saturation']['limit_ms']:g}") for each in head]
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]


def _about(found: dict[str, Any]) -> str:
    return f"{found['machine']['cpu']}, {found['machine']['cores']} CPU, load {found['load_average']:g}"


def _cost(per_s: float, price: float) -> Row:
    hours = MILLION / per_s / HOUR_S
    return [_short(per_s), f"{hours:.2f}", f"{hours * price:.3f}"]


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _predictions(found: dict[str, Any], price: float) -> list[Row]:
    rows = []
    for name in ("predict_vs_pipeline", "serve_vs_plain"):
        entry = found["results"][name]
        for side in ("ours", "peer"):
            rows.append([entry[side], entry["machine"]["cpu"], *_cost(entry[f"{side}_value"], price)])
    measured = found["saturation"]
    for name, each in measured["servers"].items():  # by processor seconds, in which what else was done does not count
        per_s = 1000 * measured["machine"]["cores"] / each["cpu_ms"]
        rows.append([f"{name} ({measured['settings'][name]})", _about(measured), *_cost(per_s, price)])
    return rows


def _fine_tunes(methods: dict[str, Any], price: float) -> list[Row]:
    return [
        [f"`{name}`", f"{each['value']:.3f}", f"{each['seconds']:.0f}", f"{each['seconds'] / HOUR_S * price:.5f}"]
        for name, each in methods["all"]["budgets"]["all"].items()
    ]


def _saturation(found: dict[str, Any]) -> list[Row]:
    rows = []
    for name, each in found["servers"].items():
        steps = [f"{_short(step['p50_ms'])} / {_short(step['p99_ms'])}" for step in _shown(found["curve"][name])]
        ratios = ["", ""] if name == OURS else [f"{each['capacity_ratio']:g}", f"{each['cpu_ratio']:g}"]
        figures = [_short(each[figure]) for figure in ("capacity", "cpu_ms", "memory_mb")]
        rows.append([name, *figures, *ratios, *steps, _short(each["best_within_limit"])])
    return rows


def _shown(curve: dict[str, Any]) -> list[Any]:
    return [curve[share] for share in ("30%", "70%", "90%", "120%")]


def _check(growth: dict[str, Any]) -> list[Row]:
    rows = []
    for share, each in growth["check"].items():
        row = [share, _short(each["offered"])]
        for name in ("p50_ms", "p99_ms"):
            row += [_short(each[name]), _short(each[f"{name} of the model"])]
            row += [_signed(each[f"error of {name}"]), _signed(each[f"error of {name} then"])]
        rows.append(row)
    return rows


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.0%}"


def _growth(growth: dict[str, Any], words: dict[str, Any]) -> list[Row]:
    rows = []
    for load in LOADS:
        for policy in POLICIES:
            many = growth["growth"][f"{load:.0%} load, {policy}"]
            cells = [
                f"{_short(many[str(count)]['p50_ms'])} / {_short(many[str(count)]['p99_ms'])}" for count in REPLICAS
            ]
            rows.append([f"{load:.0%}", words["policies"][policy], *cells])
    return rows


def _billion(growth: dict[str, Any], words: dict[str, Any]) -> list[Row]:
    rows = []
    for name, each in growth["billion"].items():
        machine, policy = name.split(", ")
        rate = _short(each["requests_per_s"] / each["replicas"])
        cells = [words["machines"][machine], words["policies"][policy], f"{each['replicas']:,}", rate]
        rows.append([*cells, _short(each["p50_ms"]), _short(each["p99_ms"])])
    return rows


def limits(found: dict[str, Any]) -> list[tuple[str, float, float]]:
    """What replicas share, what it was measured to bear, and with how many events a day that is reached, ascending.

    A store must take what comes at the peak; there are as many replicas as the peak needs.
    """
    rates, growth = found["store_rates"], found["growth"]
    billion = growth["behind"][str(DAYS[-1])]
    stores = {
        store: (most, most * DAY_S / growth["peak_factor"])
        for store, each in rates["events_per_s_by_events_in_a_write"].items()
        for most in [max(each.values())]
    }
    shared = {"connections": rates["connections_of_postgresql"]}
    shared["looks_per_s"] = rates["looks_at_deployments_per_s"].get("postgresql")
    by_replica = {name: (most, DAYS[-1] * most / billion[name]) for name, most in shared.items() if most}
    every = [(name, *each) for name, each in (stores | by_replica).items()]
    return sorted(every, key=lambda each: each[2])


def _breaks(found: dict[str, Any], words: dict[str, Any]) -> list[Row]:
    return [
        [words["shared"][name], _short(borne), f"{daily / MILLION:,.0f}", words["remedies"][name]]
        for name, borne, daily in limits(found)
    ]


def _volumes(growth: dict[str, Any]) -> list[Row]:
    names = ("events_per_s", "replicas", "connections", "looks_per_s", "memory_gb", "events_gb_a_day")
    return [
        [f"{int(daily) // MILLION:,}", *(_short(each[name]) for name in (*names, "events_tb_kept", "trail_gb_a_day"))]
        for daily, each in growth["behind"].items()
    ]


if __name__ == "__main__":
    main()
