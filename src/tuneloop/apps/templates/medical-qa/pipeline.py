"""From rules, messages and documents to a release and an index: `python pipeline.py`, again after each change."""

import tuneloop as tl


def main() -> None:
    """The triage, proved to keep its rules, and the documents that answers are quoted from."""
    with tl.open_knowledge("documents", create=True) as index:
        index.add(["documents"], prune=True)
    release = tl.release(tl.tune("tuneloop.yaml"))
    print(release.id, {name: value["value"] for name, value in release.evaluation["metrics"].items()})
    print(f"{release.evaluation['rules']['broken']} of the test answers break a hard rule")


if __name__ == "__main__":
    main()
