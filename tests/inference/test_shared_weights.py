"""Weights of several ONNX files in one: the same results, equal tensors once, halves widened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sbirctl.inference.shared_weights import share_weights

RNG = np.random.default_rng(0)
COMMON = RNG.standard_normal((16, 40)).astype(np.float32)
OWN = [RNG.standard_normal((40, 30)).astype(np.float32) for _ in range(2)]
BIAS = RNG.standard_normal(30).astype(np.float32)  # below what is moved


def network(own: np.ndarray) -> onnx.ModelProto:
    """x @ COMMON @ own + BIAS."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "common"], ["a"], doc_string="/home/somebody"),
            helper.make_node("MatMul", ["a", "own"], ["b"]),
            helper.make_node("Add", ["b", "bias"], ["y"]),
        ],
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 30])],
        [
            numpy_helper.from_array(values, name)
            for name, values in (("common", COMMON), ("own", own), ("bias", BIAS))
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize("half", [False, True])
def test_results_stay_and_equal_weights_are_kept_once(tmp_path: Path, half: bool) -> None:
    paths = [tmp_path / name for name in ("a.onnx", "b.onnx")]
    for path, own in zip(paths, OWN, strict=True):
        onnx.save(network(own), path)
    share_weights(paths, tmp_path / "weights.bin", half=half)
    count = COMMON.size + OWN[0].size + OWN[1].size
    size = (tmp_path / "weights.bin").stat().st_size
    assert count * (2 if half else 4) <= size < count * (2 if half else 4) + 3 * 64
    x = RNG.standard_normal((3, 16)).astype(np.float32)
    for path, own in zip(paths, OWN, strict=True):
        (found,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
        kept = [v.astype(np.float16).astype(np.float32) if half else v for v in (COMMON, own)]
        assert np.allclose(found, x @ kept[0] @ kept[1] + BIAS, atol=1e-4)
        assert b"somebody" not in path.read_bytes()
