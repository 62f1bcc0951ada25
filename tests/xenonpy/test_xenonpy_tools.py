"""SequentialLinear, ParameterGenerator, Splitter, ArrayDataset."""

# ruff: noqa: NPY002 (XenonPy draws from numpy's global state)

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from torch import nn
from torch.utils.data import DataLoader
from xenonpy.datatools import Splitter as OriginalSplitter
from xenonpy.model import SequentialLinear as OriginalLinear
from xenonpy.model.training.dataset import ArrayDataset as OriginalDataset
from xenonpy.utils import ParameterGenerator as OriginalGenerator

from sktaag.nn import Pyramid
from sktaag.xenonpy import ArrayDataset, ParameterGenerator, SequentialLinear, Splitter


def test_the_import_is_silent():
    result = subprocess.run([sys.executable, "-c", "import sktaag.xenonpy"], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("", "")


# ---------------------------------------------------------------- SequentialLinear

OPTIONS = [
    {"h_neurons": (0.8, 0.6, 0.4, 0.2)},
    {"h_neurons": [20, 10], "h_bias": (True, False), "h_dropouts": (0.1, 0.0), "h_normalizers": (0.1, None)},
    {"h_neurons": (7,), "bias": False, "h_activation_funcs": None},
    {},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_r4_states_load_both_ways(options):
    ours, theirs = SequentialLinear(29, 2, **options), OriginalLinear(29, 2, **options)
    assert str(ours) == str(theirs)
    assert [(k, v.shape) for k, v in ours.state_dict().items()] == [
        (k, v.shape) for k, v in theirs.state_dict().items()
    ]
    X = torch.rand(5, 29)
    for source, target in ((ours, theirs), (theirs, ours)):
        for value in source.parameters():
            nn.init.normal_(value)
        target.load_state_dict(source.state_dict(), strict=True)
        assert torch.equal(source.eval()(X), target.eval()(X))


def test_r4_states_go_into_our_pyramids():
    ours, pyramid = SequentialLinear(29, 1, h_neurons=(0.5, 0.2)), Pyramid(29, 1, hidden=(15, 6))
    pyramid.load_state_dict(ours.state_dict(), strict=True)
    X = torch.rand(5, 29)
    assert torch.allclose(pyramid.eval()(X), ours.eval()(X), atol=1e-6)
    ours.load_state_dict(pyramid.state_dict(), strict=True)


def test_numbers_of_numpy_are_widths():
    assert SequentialLinear(10, 1, h_neurons=np.array([4, 3])).layer_1.linear.out_features == 3
    with pytest.raises(RuntimeError, match="h_neurons"):
        SequentialLinear(10, 1, h_neurons=("4",))


# ---------------------------------------------------------------- ParameterGenerator

CANDIDATES = {
    "in_features": 290,
    "lr": (0.1, 0.01, 0.001),
    "n": [2, 3, 4],
    "widths": {"data": lambda n: sorted(np.random.uniform(0.2, 0.8, size=n), reverse=True), "repeat": (3, 4)},
    "same": {"data": [1, 2, 3, 4, 5, 6, 7], "repeat": "widths", "replace": False},
    "called": lambda: np.random.randint(100),
    "series": pd.Series([1.0, 2.0]),
}


def test_r5_the_sequence_of_xenonpy():
    for seed in (0, 7):
        expected = list(OriginalGenerator(seed, **CANDIDATES)(num=20))
        assert list(ParameterGenerator(seed, **CANDIDATES)(num=20)) == expected


def test_r5_numpys_global_state_is_not_touched():
    np.random.seed(3)
    expected = np.random.rand(5)
    np.random.seed(3)
    drawn = [np.random.rand()]
    generator = ParameterGenerator(0, **CANDIDATES)
    drawn.append(np.random.rand())
    sequence = []
    for parameters in generator(num=3):
        sequence.append(parameters)
        drawn.append(np.random.rand())
    assert drawn == expected.tolist()
    assert sequence == list(OriginalGenerator(0, **CANDIDATES)(num=3))  # whatever was drawn in between


def test_r5_a_second_call_goes_on():
    generator, original = ParameterGenerator(0, lr=list(range(1000))), OriginalGenerator(0, lr=list(range(1000)))
    expected = list(original(num=4))
    assert [*generator(num=2), *generator(num=2)] == expected
    assert list(ParameterGenerator(lr=list(range(10**6)))(1)) != list(ParameterGenerator(lr=list(range(10**6)))(1))


def test_the_state_is_put_back_after_an_error():
    def fail():
        np.random.rand()
        raise KeyError("mine")

    np.random.seed(3)
    expected = np.random.get_state()[1]
    with pytest.raises(KeyError, match="mine"):
        next(ParameterGenerator(0, x=fail)(num=1))
    assert_array_equal(np.random.get_state()[1], expected)
    with pytest.raises(RuntimeError, match="need parameter candidate"):
        ParameterGenerator(0)


def test_factory():
    for parameters, model in ParameterGenerator(0, in_features=8, out_features=1, h_neurons=((0.5,), (0.5, 0.25)))(
        2, factory=SequentialLinear
    ):
        assert isinstance(model, SequentialLinear)
        assert f"layer_{len(parameters['h_neurons']) - 1}" in dict(model.named_children())


# ---------------------------------------------------------------- Splitter


@pytest.mark.parametrize("seed", [0, 1, None])
@pytest.mark.parametrize(
    "options", [{}, {"test_size": 7}, {"k_fold": 4}, {"k_fold": [0, 1, 2] * 10}, {"k_fold": list("abcde") * 6}]
)
@pytest.mark.parametrize("shuffle", [True, False])
def test_r6_the_indices_of_xenonpy(seed, options, shuffle):
    if not shuffle:
        seed = None  # scikit-learn refuses a seed where nothing is drawn, and XenonPy passes it on
    np.random.seed(5)
    theirs = OriginalSplitter(30, random_state=seed, shuffle=shuffle, **options)
    np.random.seed(5)
    ours = Splitter(30, random_state=seed, shuffle=shuffle, **options)
    for a, b in zip(ours.split(), theirs.split(), strict=True):
        assert_array_equal(a, b)
    if "k_fold" in options:
        expected = list(theirs.cv())
        assert len(expected) >= 3
        for fold, other in zip(ours.cv(), expected, strict=True):
            for a, b in zip(fold, other, strict=True):
                assert_array_equal(a, b)


def test_r6_folds_alone():
    np.random.seed(0)  # XenonPy does not hand its seed on here
    theirs = OriginalSplitter(30, test_size=0, k_fold=3, random_state=0)
    for _ in range(2):
        ours = Splitter(30, test_size=0, k_fold=3, random_state=0)
        for fold, other in zip(ours.cv(), theirs.cv(), strict=True):
            for a, b in zip(fold, other, strict=True):
                assert_array_equal(a, b)
    with pytest.raises(RuntimeError, match="split action is illegal"):
        ours.split()
    with pytest.raises(RuntimeError, match="test_size"):
        Splitter(30, test_size=0)


def test_r6_arrays_and_frames():
    frame, y = pd.DataFrame({"x": range(10)}, index=list("abcdefghij")), np.arange(10)
    ours, theirs = (cls(10, random_state=0).split(frame, y) for cls in (Splitter, OriginalSplitter))
    assert [part.shape for part in ours] == [(8, 1), (2, 1), (8,), (2,)]
    for a, b in zip(ours, theirs, strict=True):
        assert_array_equal(a, b)
    with pytest.raises(ValueError, match="must have size 10"):
        Splitter(10).split(y[:5])


def test_rolling_replaces_the_folds():
    splitter = Splitter(10, k_fold=2, random_state=0)
    splitter.roll(1)
    expected = Splitter(10, k_fold=2, random_state=1)
    assert_array_equal(np.hstack(next(splitter.cv())), np.hstack(next(expected.cv())))
    assert len(list(splitter.cv())) == 2


def test_splitter_with_numpys_numbers_and_too_few_groups():
    folds = Splitter(30, k_fold=np.int64(3), random_state=0).cv()
    expected = Splitter(30, k_fold=3, random_state=0).cv()
    for fold, same in zip(folds, expected, strict=True):
        for rows, others in zip(fold, same, strict=True):
            assert_array_equal(rows, others)
    with pytest.raises(ValueError, match="k_fold has the groups of 2 rows, and there are 30"):
        Splitter(30, k_fold=[0, 1])


def test_r9_splitter_is_cloned_and_pickled():
    splitter = Splitter(2000, test_size=0.3, k_fold=[0, 1] * 1000, random_state=4, shuffle=True)
    for copy in (clone(splitter), pickle.loads(pickle.dumps(splitter))):
        assert copy.get_params() == {
            "size": 2000,
            "test_size": 0.3,
            "k_fold": [0, 1] * 1000,
            "random_state": 4,
            "shuffle": True,
        }
        assert_array_equal(copy.split()[1], splitter.split()[1])
    splitter.set_params(random_state=5, size=1000, k_fold=None)
    assert_array_equal(splitter.split()[1], Splitter(1000, test_size=0.3, random_state=5).split()[1])
    with pytest.raises(ValueError, match="no parameters seed"):
        splitter.set_params(seed=1)


# ---------------------------------------------------------------- ArrayDataset


def test_array_dataset_gives_what_xenonpys_does(recwarn):
    arrays = pd.DataFrame({"a": [1.0, 2], "b": [3.0, 4]}), pd.Series([1.0, 2]), np.eye(2), torch.tensor([1, 2])
    ours = next(iter(DataLoader(ArrayDataset(*arrays), batch_size=2)))
    assert not recwarn.list
    theirs = next(iter(DataLoader(OriginalDataset(*arrays), batch_size=2)))
    assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(ours, theirs, strict=True))
    assert ArrayDataset(arrays[2], dtypes=[torch.float64])[0][0].dtype == torch.float64
    with pytest.raises(ValueError, match="length of dtypes"):
        ArrayDataset(arrays[2], dtypes=[])
    with pytest.raises(RuntimeError, match="input must be"):
        ArrayDataset([1, 2])
