"""A model folder as ONNX (fp32 or int8) or OpenVINO files."""

from __future__ import annotations

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from tuneloop.core.errors import ConfigError, MissingExtraError, ModelError
from tuneloop.core.i18n import t
from tuneloop.inference.engine import ENGINES
from tuneloop.inference.predictor import read_settings

KEPT_PRODUCTS = 2
"""Matrix products at the end (pooler and classifier) that stay fp32 in int8: cheap, and the answer hangs on them."""


def export_form(folder: Path, form: str, out_folder: Path) -> list[Path]:
    """Write one form of the model in `folder` below `out_folder`, which should be a staging folder.

    Args:
        folder: a Hugging Face folder with `tuneloop.json`.
        form: onnx-fp32, onnx-int8 or openvino-bf16.
        out_folder: where `onnx/` or `openvino/` is made.

    Returns:
        The files written, complete.

    Raises:
        ConfigError: if there is no such form.
        ModelError: if the model cannot be loaded or exported.
        MissingExtraError: if a package for the form is not installed.
    """
    target = ENGINES.get(form)
    if target is None:
        known = ", ".join(name for name, file in ENGINES.items() if file)
        raise ConfigError(t("There is no form called {name!r}.", name=form), t("Choose one of: {known}.", known=known))
    path = out_folder / target
    path.parent.mkdir(parents=True, exist_ok=True)
    # the scratch folder lies beside the target, so that the last step is a rename on one disk
    with TemporaryDirectory(dir=path.parent, prefix=".tmp-") as scratch:
        made = _make(folder, form, Path(scratch) / path.name)
        return [file.replace(path.parent / file.name) for file in made]


def _make(folder: Path, form: str, path: Path) -> list[Path]:
    source = path.with_name("source.onnx")
    _to_onnx(folder, source)
    if form == "onnx-fp32":
        return [source.rename(path)]
    if form == "onnx-int8":
        _to_int8(source, path)
        return [path]
    _to_openvino(source, path)
    return [path, path.with_suffix(".bin")]


def _to_onnx(folder: Path, path: Path) -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(error.name or "onnx", "onnx") from None
    import torch

    from tuneloop.models.forward import input_names
    from tuneloop.models.load import load_trained

    trust = bool(read_settings(folder).get("trust_remote_code"))
    model = load_trained(folder, dtype=torch.float32, trust_remote_code=trust)
    model.config.return_dict = True
    names = input_names(model)
    sample = {name: torch.ones(2, 7, dtype=torch.int64) for name in names}
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim.DYNAMIC}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model, (), str(path), kwargs=sample, dynamo=True, external_data=False, verbose=False,
                input_names=names, output_names=["logits"], dynamic_shapes={name: axes for name in names},
            )  # fmt: skip
    except torch.onnx.errors.OnnxExporterError as error:
        raise ModelError(
            t("The model in {folder} cannot be exported to ONNX: {error}", folder=folder, error=error),
            t("Leave this form out of release.forms."),
        ) from error


def _to_int8(source: Path, path: Path) -> None:
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError:
        raise MissingExtraError("onnxruntime", "onnx") from None
    import onnx

    graph = onnx.load(source).graph
    weights = {tensor.name for tensor in graph.initializer}
    products = [node.name for node in graph.node if node.op_type in ("MatMul", "Gemm") and weights & set(node.input)]
    quantize_dynamic(
        source, path, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"],
        nodes_to_exclude=products[-KEPT_PRODUCTS:],
    )  # fmt: skip


def _to_openvino(source: Path, path: Path) -> None:
    try:
        import openvino
    except ImportError:
        raise MissingExtraError("openvino", "openvino") from None
    model = openvino.convert_model(str(source))
    openvino.save_model(model, str(path), compress_to_fp16=False)
