"""One file of weights for the sides of an exported model: what they share is kept once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

LEAST_BYTES = 1024  # smaller tensors stay in their own file
_ALIGNED = 64


def share_weights(sides: Sequence[Path], target: Path, *, half: bool = False) -> None:
    """Move the weights of ONNX files into one file beside them, equal tensors once.

    What the exporter notes of its own source code, paths of the machine among it, is dropped.

    Args:
        sides: the files, changed in place; ONNX Runtime then reads `target` with each of them.
        target: the file to write, in the same folder.
        half: keep tensors of more than one dimension in half precision; the graph widens them.
    """
    import onnx
    from onnx import numpy_helper

    places: dict[tuple[str, bytes], int] = {}
    with open(target, "wb") as stream:
        for path in sides:
            model = onnx.load(path)
            _drop_notes(model)
            for tensor in list(model.graph.initializer):
                values = numpy_helper.to_array(tensor)
                if values.nbytes < LEAST_BYTES:
                    continue
                if half and values.dtype == np.float32 and values.ndim > 1:
                    tensor = _narrowed(model.graph, tensor, values.astype(np.float16))
                    values = values.astype(np.float16)
                key = (str(values.dtype), values.tobytes())
                if key not in places:
                    stream.write(b"\0" * (-stream.tell() % _ALIGNED))
                    places[key] = stream.tell()
                    stream.write(key[1])
                _refer(tensor, target.name, places[key], len(key[1]))
            onnx.save(model, path)


def _drop_notes(model: ModelProto) -> None:
    graph = model.graph
    model.ClearField("metadata_props")
    graph.ClearField("metadata_props")
    graph.ClearField("value_info")
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output, *model.functions):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")


def _narrowed(graph: GraphProto, tensor: TensorProto, half: np.ndarray) -> TensorProto:
    """Put a half-precision tensor and the node that widens it in a tensor's place."""
    from onnx import TensorProto, helper, numpy_helper

    name = tensor.name
    graph.initializer.remove(tensor)
    narrow = numpy_helper.from_array(half, f"{name}.half")
    graph.initializer.append(narrow)
    graph.node.insert(0, helper.make_node("Cast", [narrow.name], [name], to=TensorProto.FLOAT))
    last: TensorProto = graph.initializer[-1]
    return last


def _refer(tensor: TensorProto, location: str, offset: int, length: int) -> None:
    from onnx.external_data_helper import set_external_data

    set_external_data(tensor, location, offset, length)
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
