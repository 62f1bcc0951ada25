"""Finished chunks on disk, so that a killed training goes on where it was."""

import json
from pathlib import Path

import joblib
import safetensors
import safetensors.torch

from sktaag.sources._parts import write_whole
from sktaag.sources._shotgun_training import Trained

_FORMAT = 1
_CARD = "ensemble.json"


class Checkpoint:
    """A folder with one safetensors file for each finished chunk, and a card that says of which training.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    entropy : int
        Seed of the ensemble, for a new folder.
    any_seed : bool
        Whether to go on with the seed of an old folder.
    X, y : arrays
        The data, checked.
    params : dict
        Parameters that decide what a network becomes.

    Attributes
    ----------
    entropy : int
        Seed of the ensemble.

    Raises
    ------
    ValueError
        If the folder holds networks of other data, other parameters or another seed, or cannot be read.
    """

    def __init__(self, folder, entropy, any_seed, X, y, params):
        self.folder = Path(folder)
        self.entropy = entropy
        card = {
            "format": _FORMAT,
            "data": joblib.hash((X, y)),
            "params": {name: repr(value) for name, value in params.items()},
            "entropy": entropy,
        }
        path = self.folder / _CARD
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(card, indent=1).encode())
            return
        try:
            old = json.loads(path.read_bytes())
            differences = [name for name, value in card["params"].items() if old["params"][name] != value]
            differences = [f"{name} was {old['params'][name]}" for name in differences]
            if old["data"] != card["data"]:
                differences.insert(0, "X or y is other data")
            if old["format"] != _FORMAT:
                differences.insert(0, f"its format is {old['format']}, not {_FORMAT}")
            if old["entropy"] != entropy and not any_seed:
                differences.append("random_state is another one")
            self.entropy = int(old["entropy"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged. Delete {self.folder} to train anew.") from error
        if differences:
            raise ValueError(
                f"checkpoint={str(self.folder)!r} holds networks of another training: {'; '.join(differences)}. Give "
                "the parameters and data of that one, or another folder."
            )

    def read(self):
        """Return the networks that are finished.

        Returns
        -------
        trained : dict of int to Trained
            By their numbers.
        """
        trained = {}
        for path in sorted(self.folder.glob("networks-*.safetensors")):
            try:
                with safetensors.safe_open(path, "pt") as file:
                    cards = json.loads(file.metadata()["networks"])
                    states = {index: {} for index in cards}
                    for key in file.keys():  # noqa: SIM118 - no dict
                        index, _, name = key.partition(":")
                        states[index][name] = file.get_tensor(key)
                trained |= {int(index): Trained(states[index], **card) for index, card in cards.items()}
            except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path} is damaged. Delete it; its networks are then trained again.") from error
        return trained

    def write(self, trained):
        """Keep the networks of one chunk.

        Parameters
        ----------
        trained : dict of int to Trained
            By their numbers.
        """
        tensors = {f"{index}:{key}": tensor for index, net in trained.items() for key, tensor in net.state.items()}
        cards = {index: {key: v for key, v in vars(net).items() if key != "state"} for index, net in trained.items()}
        content = safetensors.torch.save(tensors, metadata={"networks": json.dumps(cards)})
        write_whole(self.folder / f"networks-{min(trained):06d}.safetensors", content)
