"""The label model: votes in, probabilistic labels out, on mergeable statistics.

    L --from_votes--> VoteStatistics --fit_statistics--> FittedLabelModel --posterior(model, L)--> probabilities
           merge(a, b)                    to_dict / from_dict (JSON)          contributions(model, row)

Free functions on arrays do the mathematics; `LabelModel` is a thin class around them. Only `model_file` opens files.
"""

from labeljob.label_model.api import LabelModel, MajorityLabelVoter, NotFittedError
from labeljob.label_model.contributions import contributions, without_each
from labeljob.label_model.evidence import PartialClasses
from labeljob.label_model.fitting import fit_statistics
from labeljob.label_model.model import FittedLabelModel, Member, estimated_accuracy, fallback_posterior, posterior, weights
from labeljob.label_model.multi_label import MultiLabelModel, binary_votes
from labeljob.label_model.semi_supervised import cross_fitted_proba
from labeljob.label_model.serialization import FORMAT_VERSION, ModelFormatError, from_dict, to_dict
from labeljob.label_model.statistics import VoteStatistics, from_votes, merge, merge_all

__all__ = [
    "FORMAT_VERSION",
    "FittedLabelModel",
    "LabelModel",
    "MajorityLabelVoter",
    "Member",
    "ModelFormatError",
    "MultiLabelModel",
    "NotFittedError",
    "PartialClasses",
    "VoteStatistics",
    "binary_votes",
    "contributions",
    "cross_fitted_proba",
    "estimated_accuracy",
    "fallback_posterior",
    "fit_statistics",
    "from_dict",
    "from_votes",
    "merge",
    "merge_all",
    "posterior",
    "to_dict",
    "weights",
    "without_each",
]
