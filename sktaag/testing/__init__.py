"""Conformance suite for transformers whose X is a column of structures.

The counterpart of `sklearn.utils.estimator_checks`, which feeds numbers and so cannot run on them. A row is a row of
numbers, or one object, such as a graph, whose `to_dict` gives its numbers.
"""

from sktaag.testing._suite import check_structure_transformer, parametrize_with_structure_checks, yield_structure_checks

__all__ = ["check_structure_transformer", "parametrize_with_structure_checks", "yield_structure_checks"]
