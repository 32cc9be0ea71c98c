"""A network as an ONNX file, which is kept only where ONNX Runtime says of it what PyTorch says.

Needs the optional extra ``onnx``. Both are held beside each other on two inputs of different sizes, where sizes may
differ.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import RESEARCH_USE_ONLY, __version__
from ..errors import ConfigError, ModelError
from ..models.portable import Portable, TensorFormat
from .networks import Exported

TOLERANCE = 1e-4
"""Ours: how far an output may lie off PyTorch's, absolutely and as a share of its largest value. The sums of a network
come in another order; the five networks that this was written for lie within 5e-6."""
_EXTRA = "install the optional packages with pip install '.[onnx]' in the project's folder"


def require_onnx() -> None:
    """See that the packages are there.

    Raises:
        ConfigError: if one is missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"export onnx: {error.name} is not installed; {_EXTRA}") from None


def write_onnx(network: Exported, out: Path) -> tuple[Path, float]:
    """Write a network into a folder; returns its file and the largest difference from PyTorch.

    Raises:
        ModelError: if it does not export, or says something else than PyTorch; no file is left then.
    """
    weights, portable = network.weights, network.portable
    path = out / f"{weights.name}.onnx"
    try:
        with _quiet():
            torch.onnx.export(
                portable.module,
                example(portable.inputs, 2),
                str(path),
                dynamo=True,
                external_data=False,
                dynamic_shapes=_axes(portable.inputs),
                input_names=[tensor.name for tensor in portable.inputs],
                output_names=[tensor.name for tensor in portable.outputs],
            )
    except Exception as error:  # of many kinds, all of them the exporter's
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{weights.name}: does not export to ONNX ({type(error).__name__}: {reason})") from None
    _describe(path, network)
    found = max(difference(path, portable, size) for size in (2, 3))
    if found > TOLERANCE:
        path.unlink()
        raise ModelError(
            f"{weights.name}: its ONNX file says something else than PyTorch, by {found:.2g}; none is kept"
        )
    return path, found


def example(inputs: Sequence[TensorFormat], size: int) -> tuple[Tensor, ...]:
    """Inputs with values as they may come; an axis of any length has at least this many steps."""
    generator, lengths = torch.Generator().manual_seed(size), _lengths(inputs, size)
    found = []
    for tensor in inputs:
        low, high = tensor.values or (0.0, 1.0)
        shape = [
            length if isinstance(length, int) else _times(length) * lengths[_axis(length)] for length in tensor.shape
        ]
        found.append(low + (high - low) * torch.rand(shape, generator=generator))
    return tuple(found)


def difference(path: Path, portable: Portable, size: int) -> float:
    """How far ONNX Runtime lies off PyTorch on ``example`` inputs of a size; see ``TOLERANCE``."""
    import onnxruntime

    inputs = example(portable.inputs, size)
    with torch.inference_mode():
        expected = portable.module(*inputs)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    named = {tensor.name: value.numpy() for tensor, value in zip(portable.inputs, inputs, strict=True)}
    found = session.run([tensor.name for tensor in portable.outputs], named)
    return max(_apart(one, other.numpy()) for one, other in zip(found, expected, strict=True))


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max() / max(1.0, float(np.abs(other).max())))


def _lengths(inputs: Sequence[TensorFormat], size: int) -> dict[str, int]:
    """A length for each free axis: no two alike, so that no two can be confused."""
    names = dict.fromkeys(_axis(length) for tensor in inputs for length in tensor.shape if isinstance(length, str))
    return {name: size + place for place, name in enumerate(names)}


def _axes(inputs: Sequence[TensorFormat]) -> tuple[Mapping[int, object], ...]:
    """The free axes of each input as PyTorch's exporter takes them."""
    free = {name: torch.export.Dim(name, min=1) for name in _lengths(inputs, 1)}
    return tuple(
        {
            place: _times(length) * free[_axis(length)] if _times(length) > 1 else free[_axis(length)]
            for place, length in enumerate(tensor.shape)
            if isinstance(length, str)
        }
        for tensor in inputs
    )


def _axis(length: str) -> str:
    return length.rpartition("*")[2]


def _times(length: str) -> int:
    return int(length.rpartition("*")[0] or 1)


def _describe(path: Path, network: Exported) -> None:
    """Say what the file is, and take out what the exporter wrote of this machine's folders."""
    import onnx

    model, weights, portable = onnx.load(str(path)), network.weights, network.portable
    del model.metadata_props[:]
    for graph in (model.graph, *model.functions):
        for part in (graph, *graph.node, *graph.value_info):
            part.ClearField("metadata_props")
            part.ClearField("doc_string")
    for tensor in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        tensor.ClearField("metadata_props")
        tensor.ClearField("doc_string")
    model.doc_string = f"{portable.task} {RESEARCH_USE_ONLY}"
    model.producer_name, model.producer_version = "PneumoScreen", __version__
    told = {"name": weights.name, "version": str(weights.version), "sha256": weights.sha256}
    told |= {tensor.name: tensor.meaning for tensor in (*portable.inputs, *portable.outputs)}
    onnx.helper.set_model_props(model, told)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells of its steps on standard output and warns of PyTorch's own parts."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    levels = [logger.level for logger in loggers]
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
