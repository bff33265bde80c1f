"""From sentences, a lexicon and rules to a release: `python pipeline.py`, again after each change."""

import tuneloop as tl


def main() -> None:
    """A release that has been proved to keep its rules."""
    release = tl.release(tl.tune("tuneloop.yaml"))
    rules = release.evaluation["rules"]
    print(release.id, {name: value["value"] for name, value in release.evaluation["metrics"].items()})
    print(f"rules changed {rules['changed']} of the test answers; {rules['broken']} break a hard rule")


if __name__ == "__main__":
    main()
