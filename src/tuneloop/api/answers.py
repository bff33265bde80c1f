"""The part of the Python door that keeps a release open: asked again and again, by several threads in turn.

with tl.api.answering("sentiment") as model:
    model.predict("the room was clean")
    model.explain("the room was clean", method="occlusion")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from tuneloop.api.releasing import DEFAULT_WORKSPACE, load
from tuneloop.core.paths import Workspace
from tuneloop.core.turns import Turns

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.data.snapshot_folder import Snapshot
    from tuneloop.explain.base import Explanation
    from tuneloop.explain.counterfactual import Counterfactuals
    from tuneloop.explain.influence import Influences, Influencing
    from tuneloop.explain.nearest import Nearest, TrainingRows
    from tuneloop.explain.wording import Wording
    from tuneloop.inference.in_turn import InTurn
    from tuneloop.inference.predictor import Predictor
    from tuneloop.inference.writing import Writer
    from tuneloop.knowledge.answers import Answer
    from tuneloop.knowledge.index import Index
    from tuneloop.releases.read import Release
    from tuneloop.tasks.base import Prediction, Task

Wanted = Callable[[], bool]


def always() -> bool:
    """Somebody waits."""
    return True


def answering(name: str, *, workspace: Path = DEFAULT_WORKSPACE) -> Answering:
    """The release called `name`, open until it is closed; a model's name means its newest release.

    Raises:
        ReleaseError: if there is none, or a file is damaged.
    """
    return Answering(load(name, workspace=workspace))


class Answering:
    """An open release: its answers, the reasons for them, and what it writes.

    What takes long gives way to other threads between portions of texts, and is given up with
    `inference.in_turn.GivenUp` once `wanted` says that nobody waits for it.

    Args:
        release: every file checked.
    """

    def __init__(self, release: Release) -> None:
        self.release = release
        self._workspace = Workspace(release.path.parents[1])
        self._lock, self._data_lock, self._inside_lock = Turns(), Turns(), Turns()

    def __enter__(self) -> Answering:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the models, when what they are asked now is answered."""
        for lock, names in ((self._lock, ("_model", "_documents")), (self._inside_lock, ("_inside",))):
            with lock:
                for name in names:
                    if name in self.__dict__ and self.__dict__[name] is not None:
                        self.__dict__.pop(name).close()

    @property
    def task(self) -> Task:
        """What it was tuned for."""
        with self._lock:
            return self._model.task

    @property
    def documents(self) -> bool:
        """Whether documents travel with it, which `ask` answers from."""
        return self.release.documents is not None

    def predict(self, inputs: Sequence[Input], *, wanted: Wanted = always) -> list[Prediction]:
        """One prediction per input, in order; rules have the last word."""
        return self._in_turn(wanted).predict(inputs)

    def refuses(self, method: str = "occlusion") -> str:
        """Why no explanation is possible, in the language in force; empty if one is."""
        from tuneloop.explain import create_explainer

        return create_explainer(method).refuses(self._in_turn(always))

    def explain(
        self, item: Input, *, method: str = "occlusion", target: str | None = None,
        options: Mapping[str, Any] | None = None, wanted: Wanted = always,
    ) -> Explanation:  # fmt: skip
        """What each word adds to the answer, by a method that only asks for answers; see `api.explain`."""
        from tuneloop.explain import create_explainer

        return create_explainer(method, options).explain(self._in_turn(wanted), item, label=target)

    def counterfactual(
        self, item: Input, *, target: str | None = None, budget: int = 2000, wanted: Wanted = always
    ) -> Counterfactuals:
        """The fewest changed words with which it answers something else; see `api.counterfactual`."""
        from tuneloop.explain.counterfactual import CounterfactualOptions, counterfactuals

        options = CounterfactualOptions.model_validate({"budget": budget})
        with self._data_lock:
            wording = self._wording
        return counterfactuals(self._in_turn(wanted), item, wording=wording, label=target, options=options)

    def evidence(self, item: Input, *, most: int = 5, rows: int = 5000) -> tuple[Nearest, Influences | None]:
        """The training rows nearest to a text, and those that speak for and against its label; see `api.evidence`.

        The first call reads the training rows with the model, the others only the text.
        """
        with self._data_lock:
            train = self._snapshot.split("train")
        with self._inside_lock:
            known, influencing = self._known(train, rows)
            return known.nearest(item, most=most), influencing and influencing.of(item, most=most)

    def write(
        self, messages: Sequence[Mapping[str, str]], told: Callable[[str], None], *, wanted: Wanted = always
    ) -> str:
        """The answer to a conversation; each piece of it is `told` as it is written.

        Args:
            messages: each with `role` and `content`, the last of the user.

        Raises:
            ModelError: if the conversation leaves no room for an answer.
        """
        from tuneloop.inference.in_turn import GivenUp
        from tuneloop.inference.streaming import stream

        with self._lock:
            writer = cast("Writer", self._model)
            pieces = stream(writer, writer.task.parse_input([dict(each) for each in messages], None)[0])
        said: list[str] = []
        while True:
            with self._lock:
                if not wanted():
                    raise GivenUp
                piece = next(pieces, None)
            if piece is None:
                return "".join(said)
            said.append(piece)
            told(piece)

    def ask(self, question: str) -> Answer:
        """What its documents say to a question, with citations; see `Release.ask`.

        Raises:
            ReleaseError: if no documents travel with it.
        """
        from tuneloop.knowledge.answers import ask
        from tuneloop.releases.knowledge import by_rules, writing_of

        with self._lock:
            return by_rules(ask(question, self._documents, writer=writing_of(self._model)), self._model)

    def _in_turn(self, wanted: Wanted) -> InTurn:
        from tuneloop.inference.in_turn import InTurn

        with self._lock:
            return InTurn(self._model, self._lock, wanted)

    @cached_property
    def _model(self) -> Predictor:
        return cast("Predictor", self.release.predictor())

    @cached_property
    def _documents(self) -> Index:
        from tuneloop.releases.knowledge import documents_of

        return documents_of(self.release)

    @cached_property
    def _snapshot(self) -> Snapshot:
        from tuneloop.data.snapshot_folder import find_snapshot

        return find_snapshot(str(self.release.info["data_hash"]), self._workspace)

    @cached_property
    def _wording(self) -> Wording:
        from tuneloop.explain.wording import learn_wording

        return learn_wording(self._snapshot.split("train"))

    @cached_property
    def _inside(self) -> Predictor:
        from tuneloop.inference.inside import ENGINE

        return cast("Predictor", self.release.predictor(ENGINE))  # of its own: rows are read while others ask

    @cached_property
    def _read(self) -> dict[int, tuple[TrainingRows, Influencing | None]]:
        return {}

    def _known(self, train: Any, rows: int) -> tuple[TrainingRows, Influencing | None]:
        from tuneloop.explain.influence import Influencing, refuses
        from tuneloop.explain.nearest import TrainingRows

        if rows not in self._read:
            known = TrainingRows(self._inside, train, most=rows)
            self._read[rows] = known, None if refuses(self._inside) else Influencing(known)
        return self._read[rows]
