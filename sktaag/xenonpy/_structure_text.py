"""Build a network from the text that torch prints for it.

XenonPy keeps that text beside the weights. It holds what no state dict does, the eps of the batch norms above all:
XenonPy's models of 2019 have 0.1, today's default is 1e-5, and their features would differ by twice their spread.
"""

import ast
import re
import warnings
from collections import OrderedDict

from torch import nn

from sktaag.xenonpy._sequential_linear import SequentialLinear
from sktaag.xenonpy._upstream import Layer1d, LinearLayer

_NAMES = """
    Linear Dropout BatchNorm1d Identity CELU ELU GELU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid
    Mish PReLU ReLU ReLU6 RReLU SELU SiLU Sigmoid Softplus Softshrink Softsign Tanh Tanhshrink Threshold
"""
_PARTS = {name: getattr(nn, name) for name in _NAMES.split()}
_LINE = re.compile(r"^(?P<indent> *)\((?P<name>\w+)\): (?P<call>\w+\(.*)$")


def module_from_text(text):
    """Build the network that a text describes, with random weights.

    Raises ValueError for a text that is torn, or has parts whose computation no text tells.
    """
    if not isinstance(text, str):
        raise ValueError(f"the text of the model is no text but of type {type(text).__name__}")
    try:
        root, children = _tree(text)
        return _build(root, children)
    except (SyntaxError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ValueError(f"the text of the model cannot be read ({error}):\n{text[:500]}") from error


def _tree(text):
    """Return the class of the root and a nested dict, name: (call, children)."""
    lines = text.strip().splitlines()
    root = OrderedDict()
    stack = [(-1, root)]
    for line in lines[1:]:
        match = _LINE.match(line)
        if match is None:
            if line.strip() != ")":
                raise SyntaxError(f"the line {line!r}")
            continue
        indent = len(match["indent"])
        while stack[-1][0] >= indent:
            stack.pop()
        children = OrderedDict()
        stack[-1][1][match["name"]] = (match["call"], children)
        stack.append((indent, children))
    return lines[0], root


def _build(call, children):
    name = call.partition("(")[0]
    if not children:
        return _part(name, call)
    parts = OrderedDict((child, _build(*inner)) for child, inner in children.items())
    if name == "Sequential":
        return nn.Sequential(parts)
    if name == "LinearLayer":
        return _linear_layer(parts)
    if name == "SequentialLinear":
        return _sequential_linear(parts)
    if name == "Layer1d":
        return _layer_1d(parts)
    raise ValueError(
        f"the model has a part of class {name}, and the text does not say what it computes. Build the network yourself "
        "and load `final_state` into it, or, if you trust whoever wrote the folder, open it with trusted=True."
    )


def _part(name, call):
    if name not in _PARTS:
        raise ValueError(f"the model has a part {call!r}; only {', '.join(_PARTS)} can be built from their text.")
    node = ast.parse(call, mode="eval").body
    if not isinstance(node, ast.Call):
        raise SyntaxError(f"the part {call!r}")
    options = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
    values = []
    for argument in node.args:
        if isinstance(argument, ast.Name):  # torch wrote ReLU(inplace) until version 1.2
            options[argument.id] = True
        else:
            values.append(ast.literal_eval(argument))
    return _PARTS[name](*values, **options)


def _linear_layer(parts):
    linear = parts["linear"]
    layer = LinearLayer(linear.in_features, linear.out_features, activation_func=None, normalizer=None)
    if "activation" not in parts:
        warnings.warn(
            "The text of the model has a hidden layer without activation. It had none, or a function that is no torch "
            "module: then the model computes something else. Compare predictions before you use it.",
            stacklevel=2,
        )
    return _with_parts(layer, parts)


def _sequential_linear(parts):
    hidden = [part for name, part in parts.items() if name != "output"]
    inputs = (hidden[0].linear if hidden else parts["output"]).in_features
    model = SequentialLinear(
        inputs, parts["output"].out_features, h_neurons=tuple(layer.linear.out_features for layer in hidden)
    )
    return _with_parts(model, parts)


def _layer_1d(parts):
    linear = parts["layer"]
    return _with_parts(Layer1d(linear.in_features, linear.out_features, act_func=None, batch_nor=None), parts)


def _with_parts(module, parts):
    for name, part in parts.items():
        if not hasattr(module, name):
            raise AttributeError(f"{type(module).__name__} has no part {name}")
        setattr(module, name, part)
    return module
