"""ONNX graphs of encoders: the same answers as torch, whatever the batch."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from models.sequence.encoder_cases import CASES, DIM, MAX_LEN, encoder, windows
from nextbest.errors import ArtifactError, InputError
from nextbest.models.sequence.encoding import OnnxEncoder, TorchEncoder


@pytest.fixture(scope="module")
def pairs():
    """Each encoder in torch and as a graph."""
    return {name: (made := encoder(name), OnnxEncoder(made.onnx())) for name in CASES}


def both(pair, x_BLD, length_B):
    network, graph = pair
    with torch.no_grad():
        expected = network.last(x_BLD, length_B).numpy()
    return expected, graph(x_BLD.numpy(), length_B.numpy())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("lengths", [(MAX_LEN, 3, 0, 1, 6), (1,), (0,), (5,), (1, 0, 1), (MAX_LEN,) * 3])
def test_onnx_equals_torch(pairs, name, lengths):
    for n_places in {max(1, *lengths), MAX_LEN}:
        expected, got = both(pairs[name], *windows(*lengths, n_places=n_places))
        assert got.dtype == np.float32
        assert_allclose(got, expected, atol=1e-5, rtol=0)


@settings(max_examples=15)
@given(
    name=st.sampled_from(list(CASES)),
    lengths=st.lists(st.integers(0, MAX_LEN), min_size=1, max_size=5),
    seed=st.integers(0, 99),
)
def test_onnx_equals_torch_for_any_weights_and_lengths(name, lengths, seed):
    made = encoder(name, seed=seed)
    expected, got = both((made, OnnxEncoder(made.onnx())), *windows(*lengths, n_places=MAX_LEN, seed=seed))
    assert_allclose(got, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", CASES)
def test_torch_encoder_equals_the_network(pairs, name):
    network, _ = pairs[name]
    x_BLD, length_B = windows(4, 0, 2)
    with torch.no_grad():
        expected = network.last(x_BLD, length_B).numpy()
    assert_array_equal(TorchEncoder(network)(x_BLD.numpy(), length_B.numpy()), expected)


def test_torch_encoder_keeps_its_answers_while_training_goes_on():
    network = encoder("gru", dropout=0.5).train()
    encode = TorchEncoder(network)
    x_BLD, length_B = (part.numpy() for part in windows(4, 2))
    before = encode(x_BLD, length_B)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(1)
    assert network.training
    assert_array_equal(encode(x_BLD, length_B), before)


@pytest.mark.parametrize("name", ["gru", "bert4rec"])
@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_no_windows_or_no_places_give_zeros(pairs, name, shape):
    network, graph = pairs[name]
    for encode in (graph, TorchEncoder(network)):
        h_BD = encode(np.zeros((*shape, DIM), np.float32), np.zeros(shape[0], np.int64))
        assert_array_equal(h_BD, np.zeros((shape[0], DIM), np.float32))


@pytest.mark.parametrize("name", ["gru", "sasrec"])
def test_many_threads_may_ask_one_graph(pairs, name):
    asked = [windows(5, 2, seed=seed) for seed in range(40)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda a: both(pairs[name], *a), asked))
    for expected, got in answers:
        assert_allclose(got, expected, atol=1e-5, rtol=0)


def test_a_graph_is_of_a_widely_read_opset_and_holds_no_operator_of_its_own(pairs):
    for name in CASES:
        model = onnx.load_from_string(encoder(name).onnx())
        onnx.checker.check_model(model, full_check=True)
        assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
        assert {node.domain for node in model.graph.node} == {""}
        assert [value.name for value in model.graph.input] == ["x_BLD", "length_B"]


def test_a_graph_doesnt_depend_on_the_state_of_training():
    made = encoder("sasrec", dropout=0.5)
    assert made.onnx() == made.train().onnx()


@pytest.mark.parametrize(
    ("x_shape", "length", "message"),
    [
        ((2, 3, DIM + 1), [1, 1], r"x_BLD: must have shape \(B, L, 8\); got \(2, 3, 9\)"),
        ((2, DIM), [1, 1], r"x_BLD: must have shape \(B, L, 8\); got \(2, 8\)"),
        ((2, 3, DIM), [1], r"length_B: must have shape \(2,\); got \(1,\)"),
        ((3, 3, DIM), [4, 1, -1], r"length_B: must be 0 to 3; 2 row\(s\) break it; got \[4, -1\]"),
    ],
)
def test_bad_batches_are_told(pairs, x_shape, length, message):
    network, graph = pairs["gru"]
    for encode in (graph, TorchEncoder(network)):
        with pytest.raises(InputError, match=message):
            encode(np.zeros(x_shape, np.float32), np.array(length))


def test_a_broken_graph_is_told():
    with pytest.raises(ArtifactError, match="encoder: ONNX Runtime can't read the graph"):
        OnnxEncoder(b"nothing")
    with pytest.raises(InputError, match="n_threads: must be 0 or more"):
        OnnxEncoder(b"", n_threads=-1)


def test_another_graph_is_told():
    value = onnx.helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, [1])
    out = onnx.helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Abs", ["a"], ["b"])], "other", [value], [out])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(ArtifactError, match=r"is no encoder's graph: it takes \['a'\]"):
        OnnxEncoder(model.SerializeToString())


def test_without_onnx_runtime_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"install nextbest\[onnx\]"):
        OnnxEncoder(b"")


def test_without_onnx_the_extra_is_named(monkeypatch):
    for name in ("nextbest.models.sequence.onnx_graph", "nextbest.models.onnx_nodes"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"install nextbest\[deep\]"):
        encoder("gru").onnx()


def test_encoding_imports_nothing_heavy():
    code = "import sys, nextbest.models.sequence.encoding; print(sorted({'torch', 'onnx', 'onnxruntime'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_onnx_answers_in_a_process_that_never_loads_torch(tmp_path):
    made = encoder("sasrec")
    (tmp_path / "encoder.onnx").write_bytes(made.onnx())
    code = (
        "import sys, pathlib, numpy as np\n"
        "from nextbest.models.sequence.encoding import OnnxEncoder\n"
        "encode = OnnxEncoder(pathlib.Path(sys.argv[1]).read_bytes())\n"
        f"print(encode(np.ones((1, 2, {DIM}), np.float32), np.array([2])).tolist())\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "encoder.onnx")],
        capture_output=True,
        text=True,
        check=True,
    )
    with torch.no_grad():
        expected = made.last(torch.ones(1, 2, DIM), torch.tensor([2])).numpy()
    assert_allclose(np.array(eval(done.stdout)), expected, atol=1e-5, rtol=0)
