"""Scores that tell, without growing a model, which features a target can use."""

from sktaag.model_selection._h_score import h_score
from sktaag.model_selection._log_me import log_me
from sktaag.model_selection._ridge_loo import ridge_loo

__all__ = ["h_score", "log_me", "ridge_loo"]
