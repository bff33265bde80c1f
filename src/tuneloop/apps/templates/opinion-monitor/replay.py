"""A made-up month of news with planted bursts: `python replay.py` sends it to a running monitor, `--measure 50` counts.

An item is a company's name before a sentence of the test split, which the model has not seen. Items scatter more than
Poisson's, and come by day rather than by night. In a burst, FACTOR times as much bad news of a company comes for
LENGTH hours. Every month follows from its seed; time is that of the items.
"""

import argparse
import json
import time
from dataclasses import replace
from urllib.request import Request, urlopen

import numpy as np
from companies import GRAPH, alarms, tags

import tuneloop as tl
from tuneloop.apps import Item
from tuneloop.watch import Event, Planted, score

START, HOURS, PER_HOUR, FACTOR, LENGTH, HOUR_S = 1_767_225_600, 720, 16.0, 6.0, 12, 3600
TONES = {"negative": 0.25, "neutral": 0.35, "positive": 0.4}


def month(seed, sentences, bursts):
    """Times and texts in order, and the planted bursts, all after ten days of quiet."""
    random, names = np.random.default_rng(seed), list(GRAPH.names)
    starts = [240 + number * 480 // max(1, bursts) + int(random.integers(100)) for number in range(bursts)]
    planted = [(names[random.integers(len(names))], start) for start in starts]
    shares, items = random.dirichlet(np.full(len(names), 5.0)), []
    for hour in range(HOURS):
        rates = PER_HOUR * (1 + 0.7 * np.sin(2 * np.pi * (hour - 8) / 24)) * shares * random.gamma(4, 1 / 4, len(names))
        for name, rate in zip(names, rates, strict=True):
            bursting = any(who == name and 0 <= hour - start < LENGTH for who, start in planted)
            for tone, share in TONES.items():
                for _ in range(random.poisson(rate * share * (FACTOR if bursting and tone == "negative" else 1))):
                    text = f"{random.choice(GRAPH.names[name])}: {random.choice(sentences[tone])}"
                    items.append((START + (hour + random.random()) * HOUR_S, text))
    begins = [(name, START + start * HOUR_S) for name, start in planted]
    return sorted(items), [Planted(name, begin, begin + LENGTH * HOUR_S) for name, begin in begins]


def measure(months, sentences):
    """Months with two bursts and quiet ones, judged by the release, through the very alarms of the monitor."""
    every = [text for part in sentences.values() for text in part]
    texts = [f"{name}: {text}" for names in GRAPH.names.values() for name in names for text in every]
    answers = zip(texts, tl.load("sentiment").predict(texts), strict=True)
    known = {text: Event("", 0, "", "", one.label, 1, tags=tags(Item("", 0, text, ""))) for text, one in answers}
    waits, false = [], {0: 0, 2: 0}
    for seed in range(1000, 1000 + months):
        for bursts in false:
            items, planted = month(seed, sentences, bursts)
            found = score(alarms([replace(known[text], at=at) for at, text in items]), planted, late_s=86_400)
            waits, false[bursts] = [*waits, *found.delays_s], false[bursts] + found.false
    hours = np.array([np.inf if wait is None else wait / HOUR_S for wait in waits])
    within = {f"found within {limit} h": int((hours <= limit).sum()) for limit in (4, 6, 8, 12)}
    print({"bursts": len(hours), **within, "median delay in h": float(np.median(hours))})
    print({"months": months, "false alarms in quiet months": false[0], "in months with bursts": false[2]})


def send(items, planted, url):
    """Post a month to a monitor, and tell what it found; sent again, it counts once."""
    for begin in range(0, len(items), 500):
        part = [{"id": f"{begin + number}", "source": "replay", "time": at, "text": text}
                for number, (at, text) in enumerate(items[begin : begin + 500])]  # fmt: skip
        body = json.dumps({"items": part}).encode()
        urlopen(Request(f"{url}/api/items", body, {"Content-Type": "application/json"}), timeout=300).close()
    while (state := json.load(urlopen(f"{url}/api/state?hours=720", timeout=60)))["looked_at"] < len(items):
        time.sleep(1)
    for burst in planted:
        told = [
            one["at"] for one in state["alarms"] if one["name"] == burst.name and burst.start < one["at"] <= burst.end
        ]
        print(burst.name, f"told after {(min(told) - burst.start) / HOUR_S:.0f} h" if told else "not told")
    print(len(state["alarms"]), "alarms in all")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="of the monitor")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--measure", type=int, metavar="MONTHS", help="count over so many months, without a monitor")
    given, test = parser.parse_args(), tl.snapshot("tuneloop.yaml", quiet=True).split("test")
    by_tone = {
        tone: [text for text, label in zip(test.texts, test.labels, strict=True) if label == tone] for tone in TONES
    }
    measure(given.measure, by_tone) if given.measure else send(*month(given.seed, by_tone, 2), given.url)
