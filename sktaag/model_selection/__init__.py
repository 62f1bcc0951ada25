"""Splitters over structures, comparison of models, scores that tell which features a target can use."""

from sktaag.model_selection._cluster_k_fold import ClusterKFold
from sktaag.model_selection._compare import compare
from sktaag.model_selection._comparison import Comparison
from sktaag.model_selection._extrapolation_split import ExtrapolationSplit
from sktaag.model_selection._find_overlap import find_overlap
from sktaag.model_selection._h_score import h_score
from sktaag.model_selection._leave_one_family_out import LeaveOneFamilyOut
from sktaag.model_selection._log_me import log_me
from sktaag.model_selection._polymer_family import polymer_family
from sktaag.model_selection._ridge_loo import ridge_loo
from sktaag.model_selection._scaffold_k_fold import ScaffoldKFold
from sktaag.model_selection._scaffolds import scaffolds
from sktaag.model_selection._stratified_group_k_fold_regression import StratifiedGroupKFoldRegression

__all__ = [
    "ClusterKFold",
    "Comparison",
    "ExtrapolationSplit",
    "LeaveOneFamilyOut",
    "ScaffoldKFold",
    "StratifiedGroupKFoldRegression",
    "compare",
    "find_overlap",
    "h_score",
    "log_me",
    "polymer_family",
    "ridge_loo",
    "scaffolds",
]
