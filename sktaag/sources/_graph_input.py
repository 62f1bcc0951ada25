"""From a column of structures, or of ready graphs, to what a backbone reads."""

from ase.data import chemical_symbols
from sklearn.base import clone
from torch_geometric.data import Data

from sktaag.graphs import AtomGraphs, MoleculeGraphs
from sktaag.structures import as_column, handle_invalid

_NEEDED = {"atoms": ("z", "pos", "edge_index", "edge_shift"), "molecules": ("z", "x", "edge_index", "edge_attr")}


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
        if backbone.cutoff is not None:
            _check_cutoff(self.graphs_.cutoff, backbone.cutoff)
        column = as_column(X)
        self._takes_graphs = _holds_graphs(column)
        self.graphs_.fit(column)
        self.n_features_in_ = 1
        return self._to_graphs(column, backbone)

    def _to_graphs(self, X, backbone):
        """Turn a column of structures, or of ready graphs, into an array of graphs; None for rows that are invalid."""
        column = as_column(X)
        all_invalid = self._takes_graphs and all(value is None for value in column)  # says what made the graphs
        if not _holds_graphs(column) and not all_invalid:
            graphs = as_column(self.graphs_.transform(column))  # a frame, if that is what scikit-learn is set to
            return self._readable(graphs, column, backbone)
        for row, value in enumerate(column):
            missing = [key for key in _NEEDED[backbone.reads] if value is not None and key not in value]
            if missing:
                raise ValueError(
                    f"row {row} is a graph without {', '.join(missing)}, which the backbone {backbone.name!r} reads. "
                    f"Make the graphs by {type(self.graphs_).__name__}, or pass the structures."
                )
            if backbone.cutoff is not None and value is not None and "cutoff" in value:
                _check_cutoff(float(value.cutoff), backbone.cutoff)
        return self._readable(column, column, backbone)

    def _readable(self, graphs, column, backbone):
        """Make graphs with elements that the backbone has no embedding for invalid rows."""
        if backbone.elements is None:
            return graphs
        known, invalid = frozenset(backbone.elements), []
        for row, graph in enumerate(graphs):
            if graph is not None and not known.issuperset(numbers := graph.z.tolist()):
                names = ", ".join(_symbol(z) for z in sorted(set(numbers) - known))
                invalid.append((row, column[row], f"has {names}, which the backbone {backbone.name!r} does not know"))
        if invalid:
            handle_invalid(invalid, len(graphs), self.graphs_.on_invalid)
            graphs = graphs.copy()
            graphs[[row for row, _, _ in invalid]] = None
        return graphs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        return tags


class GraphReader:
    """What a fitted estimator over graphs does first, as a step of its own: from structures to graphs.

    Parameters
    ----------
    estimator : GraphInputMixin
        Fitted.
    """

    reads_structures_ = True

    def __init__(self, estimator):
        self.estimator = estimator
        self.on_invalid = estimator.graphs_.on_invalid

    def transform(self, X):
        """Make graphs; None for rows that are invalid."""
        return self.estimator._to_graphs(X, self.estimator.backbone_)

    def cache_name(self):
        """Name of the graphs: two readers of one name make the same ones."""
        return f"{self.estimator.graphs_.cache_name()}-{self.estimator.backbone_.name}"


def _check_cutoff(ends, needed):
    if ends < needed:
        raise ValueError(
            f"graphs end at cutoff={ends:g} Å, but the backbone looks as far as {needed:g} Å. Raise the cutoff of the "
            "graphs or lower that of the backbone."
        )


def _holds_graphs(column):
    return any(isinstance(value, Data) for value in column)


def _symbol(number):
    return chemical_symbols[number] if 0 <= number < len(chemical_symbols) else f"atomic number {number}"
