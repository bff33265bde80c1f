"""A model folder in another form: ONNX or OpenVINO files, in full precision or int8."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tuneloop.core.errors import ConfigError, ModelError, TuneloopError
from tuneloop.core.i18n import t
from tuneloop.inference.engine import ENGINES, STATIC, Batch
from tuneloop.inference.onnx_export import write_int8, write_onnx
from tuneloop.inference.opening import open_model, read_settings
from tuneloop.inference.openvino_engine import OpenVinoEngine
from tuneloop.inference.openvino_export import write_openvino
from tuneloop.models.first_token import read_first_token_only
from tuneloop.models.forward import input_names
from tuneloop.models.item_tokenizer import reads_items

if TYPE_CHECKING:
    from transformers import PreTrainedModel

KEPT_PRODUCTS = 2
"""Matrix products at the end (pooler and classifier) that stay fp32 in int8: cheap, and the answer hangs on them."""


def export_form(
    folder: Path, form: str, out_folder: Path, *, calibration: Sequence[Batch] = (), whole: Path | None = None
) -> list[Path]:
    """Write one form of the model in `folder` below `out_folder`, which should be a staging folder.

    Args:
        folder: a Hugging Face folder with `tuneloop.json`.
        form: one of `ENGINES` that has a file.
        out_folder: where `onnx/` or `openvino/` is made.
        calibration: what the scales of onnx-int8-static are measured on: see `Predictor.calibration`.
        whole: the form onnx-fp32 of this very model, of which int8 can be made without exporting the model again.

    Returns:
        The files written, complete.

    Raises:
        ConfigError: if there is no such form.
        ModelError: if the model cannot be loaded or exported, or there is nothing to measure scales on.
        MissingExtraError: if a package for the form is not installed.
    """
    target = ENGINES.get(form)
    if target and read_settings(folder).get("periods"):
        raise ModelError(
            t("A model with an adapter for each period cannot be exported as {form}.", form=form),
            t("Only torch chooses between adapters; leave {form} out of release.forms.", form=form),
        )
    if target and reads_items(folder):
        raise ModelError(
            t("A model of several modalities cannot be exported as {form}.", form=form),
            t("Torch alone runs it; leave {form} out of release.forms.", form=form),
        )
    if target is None:
        known = ", ".join(name for name, file in ENGINES.items() if file)
        raise ConfigError(t("There is no form called {name!r}.", name=form), t("Choose one of: {known}.", known=known))
    if form == STATIC and not calibration:
        raise ModelError(
            t("{form} needs texts to measure its scales on, and there are none.", form=form),
            t("Release a run whose snapshot is in the workspace, or leave {form} out of release.forms.", form=form),
        )
    path = out_folder / target
    path.parent.mkdir(parents=True, exist_ok=True)
    # the scratch folder lies beside the target, so that the last step is a rename on one disk
    with TemporaryDirectory(dir=path.parent, prefix=".tmp-") as scratch, _silence():
        made = _make(folder, form, Path(scratch) / path.name, calibration, whole)
        return [file.replace(path.parent / file.name) for file in made]


def _make(folder: Path, form: str, path: Path, calibration: Sequence[Batch], whole: Path | None) -> list[Path]:
    int8, measured = form.startswith("onnx-int8"), calibration if form == STATIC else ()
    derived = whole if int8 else None
    model = None if derived else _model(folder)
    with _failures(str(folder), form):
        if derived:
            return [write_int8(derived, path, kept=KEPT_PRODUCTS, calibration=measured)]
        names = input_names(model)
        if form.startswith("openvino"):
            return write_openvino(model, path, names=names, int8=form == "openvino-int8", kept=KEPT_PRODUCTS)
        return [write_onnx(model, path, names=names, int8=int8, kept=KEPT_PRODUCTS, calibration=measured)]


def open_in_openvino(model: PreTrainedModel) -> OpenVinoEngine:
    """An open model as OpenVINO computes it in bf16; nothing of it stays on the disk.

    Raises:
        ModelError: if it cannot be exported or opened.
        MissingExtraError: if OpenVINO is not installed.
    """
    form = "openvino-bf16"
    with TemporaryDirectory() as scratch, _silence():
        path = Path(scratch) / "model.xml"
        with _failures(model.name_or_path, form):
            write_openvino(model, path, names=input_names(model), int8=False, kept=0)
        return OpenVinoEngine(path, form)


@contextmanager
def _failures(folder: str, form: str) -> Iterator[None]:
    """A ModelError for whatever an exporter raises."""
    try:
        yield
    except TuneloopError:
        raise
    except Exception as error:  # exporters fail with whatever their innermost part raises
        raise ModelError(
            t("The model in {folder} cannot be exported as {form}: {error}", folder=folder, form=form, error=error),
            t("Leave {form} out of release.forms.", form=form),
        ) from error


@contextmanager
def _silence() -> Iterator[None]:
    """No warnings inside: exporters warn of every branch of the model and every package they could use."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _model(folder: Path) -> PreTrainedModel:
    import torch

    model = open_model(folder, dtype=torch.float32)
    model.config.return_dict = True
    return read_first_token_only(model)
