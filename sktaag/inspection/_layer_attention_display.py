"""How much of each layer a target takes."""

import io

import numpy as np
from ase.data import chemical_symbols
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.image import imread
from sklearn.utils.validation import check_is_fitted

from sktaag.inspection._axes import COLOURS, new_axes
from sktaag.structures import InvalidStructureError, as_column, to_mol


class LayerAttentionDisplay:
    """Weights of the layers of a pretrained network: over all atoms, by element, or atom by atom on a molecule.

    Make it by `from_estimator` or `from_weights`.

    Parameters
    ----------
    weights : ndarray of shape (n_atoms, n_tokens)
        Weight of each layer token (the embedding, then each block) for each atom. One row is enough for the bars.
    elements : sequence of str, of shape (n_atoms,), or None, default=None
        Symbols of the atoms.
    mol : SMILES, PSMILES, RDKit Mol or None, default=None
        Molecule whose atoms the rows are, in its order (hydrogens that are not in it are left out).
    tokens : sequence of str or None, default=None
        Names of the tokens. None counts them from 0, the embedding.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        After `plot`.
    figure_ : matplotlib.figure.Figure
        After `plot`.

    References
    ----------
    .. [1] A. Kolluru et al., "Transfer learning using attentions across atomic systems with graph neural networks
       (TAAG)", J. Chem. Phys. 156, 184702 (2022). :doi:`10.1063/5.0088019`

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from sktaag.inspection import LayerAttentionDisplay
    >>> weights = np.array([[0.1, 0.2, 0.7], [0.2, 0.2, 0.6], [0.5, 0.3, 0.2]])
    >>> display = LayerAttentionDisplay.from_weights(weights, elements=["C", "C", "O"], kind="elements")
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['C (2)', 'O (1)']
    >>> plt.close()
    """

    def __init__(self, weights, *, elements=None, mol=None, tokens=None):
        self.weights = weights
        self.elements = elements
        self.mol = mol
        self.tokens = tokens

    @classmethod
    def from_estimator(cls, model, X=None, *, kind="layers", row=0, token=-1, ax=None):
        """Plot what a fitted model takes of each layer.

        Parameters
        ----------
        model : TAAGRegressor, TAAGClassifier, TAAGFeaturizer or LinearPotential
            Fitted. In a `LinearPotential` all atoms have the same weights.
        X : column of shape (n_samples,) or None, default=None
            Structures. None draws the mean over the training rows.
        kind, token : object
            As in `plot`.
        row : int, default=0
            Which structure "atoms" draws: a SMILES, an RDKit Mol, or a PSMILES whose graph is the unit as written.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        display : LayerAttentionDisplay

        Raises
        ------
        TypeError
            If the model is none of these.
        ValueError
            If no structure can be read, "elements" or "atoms" is asked for and there are no structures or no weights of
            single atoms, or "atoms" is asked to draw a structure that has no bonds to draw, or a polymer whose graph is
            not the unit.
        """
        check_is_fitted(model)
        model = getattr(model, "model_", model)  # of a TAAGFeaturizer
        if not hasattr(model, "layer_weights_") or not hasattr(model, "backbone_"):
            raise TypeError(
                "model must be a TAAGRegressor, TAAGClassifier, TAAGFeaturizer or LinearPotential, got "
                f"{type(model).__name__}. LayerAttentionDisplay.from_weights draws weights of any other origin."
            )
        if X is None or not hasattr(model, "attended_states"):
            if kind != "layers":
                what = "needs X" if X is None else f"needs weights of atoms, which {type(model).__name__} has not"
                raise ValueError(f'kind={kind!r} {what}. Take kind="layers".')
            return cls.from_weights(model.layer_weights_, ax=ax)
        column = as_column(X)
        if kind == "atoms":
            column = column[[row]]
        _, weights = model.attended_states(column)
        graphs = model._to_graphs(column, model.backbone_)
        there = [i for i, values in enumerate(weights) if values is not None]
        if not there:
            raise ValueError("No structure could be read; nothing to draw.")
        symbols = [chemical_symbols[z] for i in there for z in graphs[i].z.tolist()]
        mol = column[0] if kind == "atoms" else None
        if mol is not None:
            _check_drawable(mol, graphs[0].z.tolist(), row)
        weights = np.concatenate([weights[i] for i in there])
        return cls(weights, elements=symbols, mol=mol).plot(ax, kind=kind, token=token)

    @classmethod
    def from_weights(cls, weights, *, elements=None, mol=None, tokens=None, kind="layers", token=-1, ax=None):
        """Plot weights that are there.

        Parameters
        ----------
        weights : array-like of shape (n_tokens,) or (n_atoms, n_tokens)
        elements, mol, tokens : object
            As in the constructor.
        kind, token : object
            As in `plot`.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        display : LayerAttentionDisplay
        """
        weights = np.atleast_2d(np.asarray(weights, dtype=float))
        return cls(weights, elements=elements, mol=mol, tokens=tokens).plot(ax, kind=kind, token=token)

    def plot(self, ax=None, *, kind="layers", token=-1):
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
        kind : {"layers", "elements", "atoms"}, default="layers"
            Bars of the mean over the atoms (their spread as lines), a heat map of element and layer, or the weight of
            one layer on the atoms of `mol`.
        token : int, default=-1
            Which layer "atoms" draws.

        Returns
        -------
        self : LayerAttentionDisplay
        """
        draw = {"layers": self._layers, "elements": self._elements, "atoms": self._atoms}
        if kind not in draw:
            raise ValueError(f'kind must be "layers", "elements" or "atoms", got {kind!r}.')
        self.ax_ = self._atoms(ax, token) if kind == "atoms" else draw[kind](ax)
        self.figure_ = self.ax_.figure
        return self

    def _names(self):
        n_tokens = self.weights.shape[1]
        return list(self.tokens) if self.tokens is not None else ["emb.", *map(str, range(1, n_tokens))]

    def _layers(self, ax):
        ax = new_axes(ax, height=2.6)
        mean, spread = self.weights.mean(axis=0), self.weights.std(axis=0)
        places = np.arange(len(mean))
        ax.bar(places, mean, color=COLOURS[0], width=0.7)
        if len(self.weights) > 1:
            ax.errorbar(places, mean, spread, fmt="none", ecolor="black", linewidth=1, capsize=2)
        ax.axhline(0, color="black", linewidth=0.6)
        ax.set_xticks(places, self._names())
        ax.set(xlabel="layer", ylabel="weight")
        return ax

    def _elements(self, ax):
        if self.elements is None:
            raise ValueError('kind="elements" needs the elements of the atoms: pass elements=.')
        elements = np.asarray(self.elements)
        symbols, counts = np.unique(elements, return_counts=True)
        by_element = np.stack([self.weights[elements == symbol].mean(axis=0) for symbol in symbols])
        ax = new_axes(ax, height=1.3 + 0.3 * len(symbols))
        image = ax.imshow(by_element, cmap="viridis", aspect="auto")
        ax.set_xticks(range(by_element.shape[1]), self._names())
        ax.set_yticks(range(len(symbols)), [f"{s} ({n})" for s, n in zip(symbols, counts, strict=True)])
        ax.set(xlabel="layer", ylabel="element (atoms)")
        ax.figure.colorbar(image, ax=ax).set_label("mean weight")
        return ax

    def _atoms(self, ax, token):
        if self.mol is None:
            raise ValueError('kind="atoms" needs the molecule: pass mol=.')
        from rdkit.Chem.Draw import rdMolDraw2D  # needs the drawing libraries only here

        mol = to_mol(self.mol)
        weights = self.weights[: mol.GetNumAtoms(), token]
        if len(weights) < mol.GetNumAtoms():
            raise ValueError(f"mol has {mol.GetNumAtoms()} atoms, and weights has {len(weights)} rows.")
        light = LinearSegmentedColormap.from_list("light", ["white", COLOURS[4]])  # symbols stay readable on it
        colours = ScalarMappable(Normalize(weights.min(), weights.max()), light)
        shades = {i: tuple(map(float, colours.to_rgba(weight)[:3])) for i, weight in enumerate(weights)}
        drawer = rdMolDraw2D.MolDraw2DCairo(800, 600)
        drawer.drawOptions().useBWAtomPalette()
        drawer.drawOptions().fillHighlights = True
        rdMolDraw2D.PrepareAndDrawMolecule(
            drawer, mol, highlightAtoms=list(shades), highlightAtomColors=shades, highlightBonds=[]
        )
        drawer.FinishDrawing()
        ax = new_axes(ax, height=2.8)
        ax.imshow(imread(io.BytesIO(drawer.GetDrawingText()), format="png"))
        ax.axis("off")
        bar = ax.figure.colorbar(colours, ax=ax, shrink=0.7)
        bar.set_label(f"weight of layer {self._names()[token]}")
        return ax


def _check_drawable(structure, numbers, row):
    """Check that a structure can be drawn and that its atoms are the first ones of its graph."""
    try:
        mol = to_mol(structure)
    except InvalidStructureError as error:
        raise ValueError(
            f'kind="atoms" draws a SMILES, PSMILES or RDKit molecule, but row {row} {error}. Take kind="elements".'
        ) from None
    drawn = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    if drawn != numbers[: len(drawn)]:
        raise ValueError(
            f"row {row} has atoms {drawn}, its graph {numbers[: len(drawn)]}: what the polymer became there is not "
            'its unit, and cannot be drawn on it. Take kind="elements".'
        )
