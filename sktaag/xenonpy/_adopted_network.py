"""A network of XenonPy's as one of our sources."""

from sklearn.preprocessing import StandardScaler

from sktaag.nn import Pyramid
from sktaag.nn._pyramid import ACTIVATIONS
from sktaag.sources import PyramidRegressor
from sktaag.xenonpy._sequential_linear import SequentialLinear

_EPS = 1e-5  # of the batch norms of a Pyramid


def adopted_network(model):
    """Make a fitted PyramidRegressor that computes what a SequentialLinear with one output computes.

    The batch norms of XenonPy's published models have an eps of 0.1: what it exceeds ours by goes into the running
    variance, which comes to the same.

    Raises
    ------
    TypeError
        If the model is no SequentialLinear.
    ValueError
        If a `Pyramid` cannot have its parts.
    """
    if not isinstance(model, SequentialLinear):
        raise TypeError(f"Only SequentialLinear can be kept in a library, got {type(model).__name__}.")
    if model.output.out_features != 1:
        raise ValueError(f"Only networks with one output can be kept, this one has {model.output.out_features}.")
    layers = [dict(part.named_children()) for name, part in model.named_children() if name != "output"]
    inputs = layers[0]["linear"] if layers else model.output
    hidden = [layer["linear"].out_features for layer in layers]
    eps = [layer["normalizer"].eps for layer in layers if "normalizer" in layer]
    activation = _activation(layers)
    params = {"hidden": hidden, "activation": activation, "batch_norm": bool(eps)}
    state = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    for k, value in enumerate(eps):
        state[f"layer_{k}.normalizer.running_var"] += value - _EPS
    pyramid = Pyramid(inputs.in_features, 1, **params)
    ours = {name: tensor.shape for name, tensor in pyramid.state_dict().items()}
    if ours != {name: tensor.shape for name, tensor in state.items()}:
        raise ValueError("Only networks whose hidden layers have the same parts, biases among them, can be kept.")
    source = PyramidRegressor(**params | {"hidden": tuple(hidden)})
    source.restore_net({"in_features": inputs.in_features, "out_features": 1, **params}, state)
    source.hidden_sizes_, source.n_features_in_, source._y_ndim = tuple(hidden), inputs.in_features, 1
    source.target_scaler_ = StandardScaler().fit([[-1.0], [1.0]])  # changes nothing
    source.history_, source.n_iter_, source.best_epoch_, source.validation_score_ = [], 0, 0, None
    return source


def _activation(layers):
    texts = {str(layer.get("activation")) for layer in layers}
    names = [name for name, kind in ACTIVATIONS.items() if not layers or texts == {str(kind())}]
    if not names:
        raise ValueError(f"The hidden layers end in {', '.join(sorted(texts))}; {', '.join(ACTIVATIONS)} can be kept.")
    return names[0]
