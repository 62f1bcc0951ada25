"""Where structures lie in the space of the features."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_consistent_length

from sktaag.inspection._axes import new_axes, style_of, with_unit

_METHODS = {"pca": "PCA", "tsne": "t-SNE"}


class EmbeddingDisplay:
    """Two dimensions in which structures that the features call similar are neighbours.

    Coloured by a property, or by a group such as source and target. Make it by `from_estimator` or `from_features`.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, 2)
        Coordinates.
    y : ndarray of shape (n_samples,) or None, default=None
        Property of the samples, or, if it is not numeric, their group.
    method : str, default="pca"
        How the embedding was made, for the axes.
    name : str or None, default=None
        Name of the property.
    unit : str or None, default=None
        Its unit.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        After `plot`.
    figure_ : matplotlib.figure.Figure
        After `plot`.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_diabetes
    >>> from sktaag.inspection import EmbeddingDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> EmbeddingDisplay.from_features(X, y, name="progression").embedding.shape
    (442, 2)
    >>> plt.close()
    """

    def __init__(self, embedding, y=None, *, method="pca", name=None, unit=None):
        self.embedding = embedding
        self.y = y
        self.method = method
        self.name = name
        self.unit = unit

    @classmethod
    def from_estimator(cls, featurizer, X, y=None, *, method="pca", name=None, unit=None, random_state=0, ax=None):
        """Run the structures through a fitted featurizer and plot.

        Parameters
        ----------
        featurizer : fitted transformer
        X : column of structures or array
        y : array-like of shape (n_samples,) or None, default=None
        method : {"pca", "tsne"}, default="pca"
        name, unit : str or None, default=None
        random_state : int, default=0
            Of t-SNE.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        display : EmbeddingDisplay
        """
        features = featurizer.transform(X)
        return cls.from_features(features, y, method=method, name=name, unit=unit, random_state=random_state, ax=ax)

    @classmethod
    def from_features(cls, features, y=None, *, method="pca", name=None, unit=None, random_state=0, ax=None):
        """Embed features that are there and plot.

        The features are standardised first. t-SNE starts from the PCA; its perplexity is 30, or a quarter of the
        samples if they are few.

        Parameters
        ----------
        features : array-like of shape (n_samples, n_features)
        y, method, name, unit, random_state, ax : object
            As in `from_estimator`.

        Returns
        -------
        display : EmbeddingDisplay
        """
        if method not in _METHODS:
            raise ValueError(f'method must be "pca" or "tsne", got {method!r}.')
        features = np.asarray(features, dtype=float)
        if y is not None:
            y = np.asarray(y)
            check_consistent_length(features, y)
        known = np.isfinite(features).all(axis=1)
        features, y = features[known], y if y is None else y[known]
        if len(features) < 3:
            raise ValueError(f"{len(features)} samples have features that are numbers; an embedding needs three.")
        if method == "pca":
            model = PCA(2)
        else:
            model = TSNE(init="pca", perplexity=min(30.0, len(features) / 4), random_state=random_state)
        embedding = make_pipeline(StandardScaler(), model).fit_transform(features)
        return cls(embedding, y, method=method, name=name, unit=unit).plot(ax)

    def plot(self, ax=None):
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        self : EmbeddingDisplay
        """
        ax = new_axes(ax)
        points = {"s": 16, "alpha": 0.8, "linewidths": 0.3, "edgecolors": "white"}
        if self.y is None:
            ax.scatter(*self.embedding.T, color=style_of(0)[0], **points)
        elif np.issubdtype(np.asarray(self.y).dtype, np.floating):
            drawn = ax.scatter(*self.embedding.T, c=self.y, cmap="viridis", **points)
            bar = ax.figure.colorbar(drawn, ax=ax)
            bar.set_label(with_unit(self.name or "property", self.unit))
        else:
            for i, group in enumerate(np.unique(self.y)):
                colour, marker = style_of(i)
                chosen = self.y == group
                ax.scatter(*self.embedding[chosen].T, color=colour, marker=marker, label=str(group), **points)
            ax.legend(fontsize="x-small", title=self.name, title_fontsize="x-small")
        axis = _METHODS.get(self.method, self.method)
        ax.set(xlabel=f"{axis} 1", ylabel=f"{axis} 2", xticks=[], yticks=[])
        self.ax_, self.figure_ = ax, ax.figure
        return self
