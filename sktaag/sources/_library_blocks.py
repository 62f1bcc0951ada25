"""A model of the library as one block of bytes: a safetensors file with its card in it, named by its own digest."""

import hashlib
import json
import pickle
import re
from copy import deepcopy

import numpy as np
import safetensors.numpy
import safetensors.torch
from safetensors import SafetensorError
from sklearn.preprocessing import LabelEncoder, StandardScaler

import sktaag
from sktaag.sources._library_cards import FORMAT
from sktaag.sources._parts import dump_steps, find_networks, take_apart

_SHA256 = re.compile("[0-9a-f]{64}")  # part of a path, so that nothing else may stand there
_META = "sktaag"  # the only key: safetensors writes several in any order
_OBJECTS = {cls.__name__: cls for cls in (LabelEncoder, StandardScaler)}
_SCALARS = {"bool": bool, "int": int, "float": float}
_SCALARS |= {f"numpy.{name}": np.dtype(name).type for name in ("bool", "int64", "float32", "float64")}
_NAMES = {kind: name for name, kind in _SCALARS.items()}
_SMALL = 16  # numbers of an array that stands among the text, without a header of its own
_DTYPES = tuple(np.dtype(name) for name in ("bool", "uint8", "int32", "int64", "float32", "float64"))


class Packer:
    """Turns sources into blocks; what many of them share, the steps around the networks, is dumped once."""

    def __init__(self):
        self._known = {}

    def pack(self, source, card):
        """Turn a fitted source into bytes.

        Parameters
        ----------
        source : fitted estimator
        card : dict
            In JSON's types.

        Returns
        -------
        block : bytes
            Weights, what else the networks have learned, card, and the digest of the steps.
        steps : (str, bytes)
            SHA-256 and bytes of everything but the networks.
        """
        steps, networks = take_apart(source)
        tensors, states = {}, {}
        for name, (estimator, params, weights) in networks.items():
            tensors |= {f"{name}:{key}": weight.numpy() for key, weight in weights.items()}
            states[name] = {"module": params, "attributes": _take_plain(estimator, f"{name}.", tensors)}
        steps = self._dump(steps)
        meta = json.dumps({"card": card, "networks": states, "steps": steps[0]})
        return safetensors.numpy.save(tensors, {_META: meta}), steps

    def _dump(self, steps):
        try:
            key = hashlib.sha256(pickle.dumps(steps)).digest()  # 200 times faster than skops
        except Exception:  # `dump_steps` will say what is wrong
            key = None
        if key not in self._known:
            content = dump_steps(steps)
            self._known[key] = hashlib.sha256(content).hexdigest(), content
        return self._known[key]


def block_id(block):
    """Name of a block, and its whole SHA-256, of which the name is the beginning."""
    sha256 = hashlib.sha256(block).hexdigest()
    return sha256[:16], sha256


def read_meta(block, where):
    """Read card, states of the networks and digest of the steps out of a block whose bytes are known to be whole.

    Parameters
    ----------
    block : bytes
    where : str
        What the message calls it.

    Returns
    -------
    meta : dict

    Raises
    ------
    ValueError
        If the block is not one, or its card is of a newer format.
    """
    try:
        header = json.loads(block[8 : 8 + int.from_bytes(block[:8], "little")])
        meta = json.loads(header["__metadata__"][_META])
        newer = meta["card"]["format"] > FORMAT
        known = newer or (_SHA256.fullmatch(meta["steps"]) and isinstance(meta["networks"], dict))
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"{where} is no model of a library ({type(error).__name__}: {error}). Remove it.") from error
    if newer:
        raise ValueError(
            f"{where} has a card of format {meta['card']['format']}; sktaag {sktaag.__version__} reads up to {FORMAT}. "
            "Update sktaag."
        )
    if not known:
        raise ValueError(f"{where} is no model of a library. Remove it.")
    return meta


def unpack(block, steps, where):
    """Undo `Packer.pack`.

    Parameters
    ----------
    block : bytes
    steps : estimator
        The steps that belong to the block. They are copied.
    where : str
        What a message calls the block.

    Returns
    -------
    source : fitted estimator
        Its networks are on the CPU.
    """
    states = read_meta(block, where)["networks"]
    source = deepcopy(steps)
    try:
        tensors = safetensors.torch.load(block)
        for name, estimator in find_networks(source):
            prefix = f"{name}:"
            learned = states[name]["attributes"]
            vars(estimator).update({key: _restore(value, tensors) for key, value in learned.items()})
            weights = {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
            estimator.restore_net(states[name]["module"], weights)
    except (AttributeError, LookupError, RuntimeError, SafetensorError, TypeError, ValueError) as error:
        raise ValueError(
            f"{where} does not fit its own steps ({type(error).__name__}: {error}). Remove it and add it again."
        ) from error
    return source


class _NotPlainError(Exception):
    pass


def _take_plain(estimator, prefix, tensors):
    """Move the attributes that JSON and arrays can hold out of an estimator."""
    plain = {}
    for name, value in list(vars(estimator).items()):
        arrays = {}
        try:
            plain[name] = _plain(value, f"{prefix}{name}", arrays)
        except _NotPlainError:
            continue  # left to skops
        tensors |= arrays
        del vars(estimator)[name]
    return plain


def _plain(value, name, arrays):
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list and (columns := _columns(value)):
        # the history of a training: as a table it takes a tenth of the space
        arrays[name] = np.array([[float(row[key]) for row in value] for key in columns])
        return {"table": [name, columns]}
    if kind in (list, tuple):
        return {kind.__name__: [_plain(part, f"{name}.{i}", arrays) for i, part in enumerate(value)]}
    if kind is dict and all(type(key) is str for key in value):
        return {"dict": {key: _plain(part, f"{name}.{key}", arrays) for key, part in value.items()}}
    if kind in _NAMES:
        return {"scalar": [_NAMES[kind], value.item()]}
    if kind is np.ndarray and (value.dtype.kind == "U" or (value.dtype in _DTYPES and value.size <= _SMALL)):
        return {"values": [value.dtype.str, list(value.shape), value.ravel().tolist()]}
    if kind is np.ndarray and value.dtype in _DTYPES:
        arrays[name] = np.ascontiguousarray(value)
        return {"array": name}
    if _OBJECTS.get(kind.__name__) is kind:
        return {kind.__name__: _plain(value.__getstate__(), name, arrays)}
    raise _NotPlainError


def _columns(rows):
    """Types of the columns of a list of dicts, by their names, if it is a table of numbers."""
    if not rows or any(type(row) is not dict or row.keys() != rows[0].keys() for row in rows):
        return {}
    columns = {}
    for key in rows[0]:
        kinds = {type(row[key]) for row in rows}
        kind = kinds.pop()
        if kinds or type(key) is not str or kind not in _NAMES:
            return {}
        if any(abs(row[key]) > 2**53 for row in rows if kind is int or kind is np.int64):
            return {}
        columns[key] = _NAMES[kind]
    return columns


def _scalar(kind, value):
    return _SCALARS[kind](value)


def _restore(value, tensors):
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind in ("list", "tuple"):
        return (list if kind == "list" else tuple)(_restore(part, tensors) for part in content)
    if kind == "dict":
        return {key: _restore(part, tensors) for key, part in content.items()}
    if kind == "scalar":
        return _scalar(*content)
    if kind == "array":
        return tensors[content].numpy().copy()
    if kind == "values":
        return np.array(content[2], dtype=content[0]).reshape(content[1])
    if kind == "table":
        name, columns = content
        values = [
            [_scalar(kind, x) for x in row] for row, kind in zip(tensors[name].tolist(), columns.values(), strict=True)
        ]
        return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
    restored = _OBJECTS[kind]()
    restored.__setstate__(_restore(content, tensors))
    return restored
