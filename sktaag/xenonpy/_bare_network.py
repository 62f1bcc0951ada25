"""The network of one of our sources as XenonPy's."""

import copy

import torch
from sklearn.pipeline import Pipeline

from sktaag.nn import Pyramid
from sktaag.xenonpy._sequential_linear import SequentialLinear


def bare_network(source):
    """Make a SequentialLinear that computes what the network at the end of a source computes.

    The network's own scalers of X and y go into its first and last linear layer, so that it takes and gives what the
    estimator does; its hidden layers stay as they are. Steps before the network are left out.
    """
    estimator = source[-1] if isinstance(source, Pipeline) else source
    module = getattr(estimator, "module_", None)
    if not isinstance(module, Pyramid):
        raise TypeError(f"{type(estimator).__name__} is no pyramid network, and XenonPy has none but these.")
    layers = [part for name, part in module.named_children() if name != "output"]
    parts = [dict(layer.named_children()) for layer in layers]
    inputs = parts[0]["linear"] if parts else module.output
    model = SequentialLinear(
        inputs.in_features,
        module.output.out_features,
        h_neurons=tuple(part["linear"].out_features for part in parts),
        h_dropouts=[part["dropout"].p for part in parts],
        h_normalizers=[0.1 if "normalizer" in part else None for part in parts],
        h_activation_funcs=[copy.deepcopy(part["activation"]) for part in parts],
    )
    model.load_state_dict({name: value.cpu() for name, value in module.state_dict().items()})
    first = model.layer_0.linear if parts else model.output
    with torch.no_grad():
        if (scaler := getattr(estimator, "input_scaler_", None)) is not None:
            first.weight /= _row(scaler.scale_)
            if scaler.with_mean:
                first.bias -= first.weight @ _row(scaler.mean_)
        if (scaler := getattr(estimator, "target_scaler_", None)) is not None:
            model.output.weight *= _row(scaler.scale_)[:, None]
            model.output.bias.mul_(_row(scaler.scale_)).add_(_row(scaler.mean_))
    return model.eval()


def _row(values):
    return torch.as_tensor(values, dtype=torch.float32)
