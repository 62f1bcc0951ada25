"""Folds over scaffolds."""

from sktaag.model_selection._group_folds import GroupFolds
from sktaag.model_selection._scaffolds import scaffolds
from sktaag.structures import canonical_smiles


class ScaffoldKFold(GroupFolds):
    """K folds that keep the structures of one scaffold together.

    Test scaffolds were not seen in training: the score says what to expect on new chemistry rather than on more of the
    same. Folds hold about the same number of rows as far as the scaffolds allow.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.
    acyclic : {"together", "apart"}, default="together"
        Molecules without rings have no scaffold. "together" makes them one group, as is usual; "apart" makes each of
        them a group of its own, so that folds stay even where there are many.
    n_repeats : int, default=1
        Times that all folds are drawn anew.
    random_state : int, RandomState instance or None, default=None
        Draws the folds. None deals out the scaffolds by size, the same way each time.

    Raises
    ------
    InvalidRowsError
        In `split`, if structures cannot be read.
    ValueError
        In `split`, if there are fewer scaffolds than folds or a parameter is out of range.

    See Also
    --------
    scaffolds : The scaffold of each row.
    ClusterKFold : Clusters of similar structures in place of equal scaffolds.

    Examples
    --------
    >>> from sktaag.model_selection import ScaffoldKFold
    >>> X = ["Cc1ccccc1", "Oc1ccccc1", "C1CCCCC1", "CC1CCCCC1", "c1ccncc1"]
    >>> [test.tolist() for _, test in ScaffoldKFold(2).split(X)]
    [[2, 3, 4], [0, 1]]
    """

    def __init__(self, n_splits=5, *, acyclic="together", n_repeats=1, random_state=None):
        super().__init__(n_splits, n_repeats, random_state)
        self.acyclic = acyclic

    def _groups(self, X, y, groups):
        if self.acyclic not in ("together", "apart"):
            raise ValueError(f'acyclic must be "together" or "apart", got {self.acyclic!r}.')
        labels = scaffolds(X)
        if self.acyclic == "apart":
            bare = labels == ""
            labels[bare] = canonical_smiles(X, stereo=False)[bare]  # the same molecule twice is one group
        return labels, "scaffolds"
