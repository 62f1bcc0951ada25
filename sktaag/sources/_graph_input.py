"""From a column of structures, or of ready graphs, to what a backbone reads."""

from sklearn.base import clone
from torch_geometric.data import Data

from sktaag.graphs import AtomGraphs, MoleculeGraphs
from sktaag.structures import as_column

_NEEDED = {"atoms": ("z", "pos", "edge_index", "edge_shift"), "molecules": ("x", "edge_index", "edge_attr")}


class GraphInputMixin:
    """Estimators whose X is a column of structures, or of graphs; they have a parameter `graphs`."""

    reads_structures_ = True

    def _fit_graphs(self, X, start):
        """Fit the transformer that the backbone wants, and run it; None for rows that are invalid.

        Parameters
        ----------
        X : column
        start : object
            With a `backbone`, and `graphs`: the transformer that is taken where the parameter is None.

        Returns
        -------
        graphs : ndarray of object
        """
        backbone = start.backbone
        transformer = {"atoms": AtomGraphs, "molecules": MoleculeGraphs}[backbone.reads]
        graphs = start.graphs if self.graphs is None else self.graphs
        if graphs is None:
            graphs = transformer(**({} if backbone.cutoff is None else {"cutoff": backbone.cutoff}))
        if not isinstance(graphs, transformer):
            raise TypeError(
                f"graphs must be a {transformer.__name__}, which the backbone {backbone.name!r} reads, or None, got "
                f"{type(graphs).__name__}."
            )
        self.graphs_ = clone(graphs)
        if backbone.cutoff is not None and self.graphs_.cutoff < backbone.cutoff:
            raise ValueError(
                f"graphs end at cutoff={self.graphs_.cutoff:g} Å, but the backbone looks as far as {backbone.cutoff:g} "
                "Å. Raise the cutoff of the graphs or lower that of the backbone."
            )
        column = as_column(X)
        self.graphs_.fit(column)
        self.n_features_in_ = 1
        return self._to_graphs(column, backbone)

    def _to_graphs(self, X, backbone):
        """Turn a column of structures, or of ready graphs, into an array of graphs."""
        column = as_column(X)
        if not any(isinstance(value, Data) for value in column):
            return self.graphs_.transform(column)
        for row, value in enumerate(column):
            missing = [key for key in _NEEDED[backbone.reads] if value is not None and key not in value]
            if missing:
                raise ValueError(
                    f"row {row} is a graph without {', '.join(missing)}, which the backbone {backbone.name!r} reads. "
                    f"Make the graphs by {type(self.graphs_).__name__}, or pass the structures."
                )
        return column

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        return tags
