"""The trained networks of a shotgun, as an ensemble holds them and as files hold them."""

from dataclasses import asdict, dataclass

import torch

from sktaag.sources._shotgun_draws import Member
from sktaag.sources._shotgun_training import Trained


@dataclass
class ShotgunNet:
    """Networks in the order of their numbers.

    Parameters
    ----------
    members : list of Member
        As they were drawn.
    trained : list of Trained
        What became of them.
    """

    members: list[Member]
    trained: list[Trained]

    def state(self):
        """Return what rebuilds it, in JSON's types, and tensors.

        Returns
        -------
        params : dict
        tensors : dict of str to Tensor
        """
        params, tensors = {"members": [], "trained": []}, {}
        for member, result in zip(self.members, self.trained, strict=True):
            card = asdict(member) | {"columns": None, "hidden_sizes": list(member.hidden_sizes)}
            params["members"].append(card)
            params["trained"].append({key: value for key, value in vars(result).items() if key != "state"})
            tensors |= {f"{member.index}:{key}": tensor for key, tensor in result.state.items()}
            if member.columns is not None:
                tensors[f"{member.index}:columns"] = torch.from_numpy(member.columns)
        return params, tensors

    @classmethod
    def from_state(cls, params, tensors):
        """Undo `state`."""
        states = [{} for _ in params["members"]]
        for key, tensor in tensors.items():
            index, _, name = key.partition(":")
            states[int(index)][name] = tensor
        members, trained = [], []
        for card, result, state in zip(params["members"], params["trained"], states, strict=True):
            columns = state.pop("columns", None)
            own = {"columns": None if columns is None else columns.numpy(), "hidden_sizes": tuple(card["hidden_sizes"])}
            members.append(Member(**card | own))
            trained.append(Trained(state, **result))
        return cls(members, trained)
