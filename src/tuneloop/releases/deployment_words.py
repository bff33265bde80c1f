"""What was deployed, what is being tried and how it does, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tuneloop.core.i18n import t


def told_sentences(made: dict[str, Any]) -> Iterator[str]:
    """What a change means, and what to type next."""
    release, current, name = made["release"], made["current"], made["name"]
    if made["kind"] == "shadow":
        yield t("{release} answers unseen beside {current}.", release=release, current=current)
        yield t("See how far they agree with: tuneloop deployments {name}", name=name)
        yield t("Then: tuneloop deploy {release} --canary 0.1", release=release)
    elif made["kind"] == "canary":
        share = made["candidate"]["share"]
        yield t("{release} answers {share:.0%} of the requests, {current} the others.",
                release=release, share=share, current=current)  # fmt: skip
        yield t("Servers take it out if it is worse. See the figures with: tuneloop deployments {name}", name=name)
        yield t("Then: tuneloop deploy {release}", release=release)
    elif made["kind"] == "abort":
        yield t("{release} was taken out; {current} answers, as before.", release=release, current=current)
        if made["before"]:
            yield t("To go back to {before} too, give the same command again.", before=made["before"])
    else:
        if made["kind"] == "rollback":
            for passed in made["details"]["passed_over"]:
                if passed != made["details"]["before"]:
                    yield t("{release} is gone or damaged and was passed over.", release=passed)
        yield t("{release} is the current release.", release=current)
        if made["before"]:
            yield t("To go back to {before}: tuneloop rollback {name}", before=made["before"], name=name)


def figure_rows(figures: dict[str, Any]) -> Iterator[list[Any]]:
    """Both sides by each criterion: share and requests of the current release, of the candidate, what can be said."""
    if not figures["shadow"]:
        yield from criterion_rows(figures["criteria"])
    times = figures["median_ms"]
    yield [t("median in ms"), *(cell for side in ("current", "candidate") for cell in (_number(times[side]), "")), ""]


def criterion_rows(compared: dict[str, Any]) -> Iterator[list[Any]]:
    """The same without the times."""
    words, said = criteria(), verdicts()
    for name, each in compared.items():
        sides = [each["current"], each["candidate"]]
        cells = [cell for side in sides for cell in (_share(side["share"]), str(side["asked"]))]
        yield [words[name], *cells, said[each["verdict"]] if all(side["asked"] for side in sides) else t("no data")]


def criteria() -> dict[str, str]:
    """By what both sides are compared."""
    return {
        "failed": t("failed requests"), "slow": t("slow requests"), "abstained": t("abstained requests"),
        "wrong": t("feedback: wrong"),
    }  # fmt: skip


def verdicts() -> dict[str, str]:
    """What can be said of a canary by a criterion."""
    return {
        "worse": t("worse for certain"), "not_worse": t("not worse by more than the margin"),
        "unclear": t("cannot be told"),
    }  # fmt: skip


def shadow_lines(shadow: dict[str, Any] | None) -> Iterator[str]:
    """How far a shadow's answers agree with those that were given."""
    if not shadow or not shadow["texts"]:
        return
    same = shadow["same"] / shadow["texts"]
    yield t(
        "{texts} texts were answered by both; {same:.1%} of the answers are the same.", texts=shadow["texts"], same=same
    )
    for pair, count in list(shadow["different"].items())[:5]:
        yield f"  {pair}: {count}"
    if shadow["dropped"]:
        yield t("{count} requests were not given to both, as the server was busy.", count=shadow["dropped"])


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def stages() -> dict[str, str]:
    """How a release is tried."""
    return {"shadow": t("shadow"), "canary": t("canary")}


def kinds() -> dict[str, str]:
    """What a change is."""
    return stages() | {
        "promote": t("made current"), "abort": t("taken out"), "rollback": t("gone back to"),
        "failed": t("could not be opened"),
    }  # fmt: skip
