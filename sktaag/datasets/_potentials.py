"""Trained networks whose authors publish the weights."""

from sktaag.datasets._dataset import pick
from sktaag.datasets._remote import fetch_file

ANI1X = {
    name: (f"weights/{name}_ani1x_model", f"weights/{name}_ani1x_state")  # what it is, and its weights
    for name in ("TensorNet", "M3GNet")
}


def fetch_ani1x_potential(architecture="TensorNet", *, data_home=None, verbose=False):
    """Folder of a network that the authors of matgl have trained on ANI-1x: organic molecules of H, C, N and O.

    `sktaag.nn.backbones.MatGL` reads it, with ``sktaag[matgl]``; the result is a source for all estimators of
    `sktaag.transfer`. Nothing in the folder is run.

    Parameters
    ----------
    architecture : {"TensorNet", "M3GNet"}, default="TensorNet"
        The network: "TensorNet-ANI-1x-Subset-PES" or "M3GNet-ANI-1x-Subset-PES" of matgl. Licence BSD-3-Clause.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose : bool, default=False
        Show a progress bar while downloading.

    Returns
    -------
    folder : pathlib.Path
        With ``model.json`` and ``state.pt``.

    Raises
    ------
    ValueError
        If `architecture` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    T. W. Ko et al., "Materials Graph Library (MatGL), an open-source graph deep learning library for materials science
    and chemistry", npj Comput. Mater. 11, 253 (2025). :doi:`10.1038/s41524-025-01742-y`

    J. S. Smith et al., "The ANI-1ccx and ANI-1x data sets, coupled-cluster and density functional theory properties for
    molecules", Sci. Data 7, 134 (2020). :doi:`10.1038/s41597-020-0473-z`

    Examples
    --------
    >>> from sktaag.datasets import fetch_ani1x_potential
    >>> from sktaag.nn.backbones import MatGL
    >>> from sktaag.transfer import LinearPotential
    >>> model = LinearPotential(MatGL.from_pretrained(fetch_ani1x_potential()))  # doctest: +SKIP
    """
    pick("architecture", architecture, list(ANI1X))
    paths = [fetch_file(key, data_home=data_home, verbose=verbose) for key in ANI1X[architecture]]
    return paths[0].parent
