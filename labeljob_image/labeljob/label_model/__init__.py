"""The label model: votes in, probabilistic labels out, on mergeable statistics.

    L --from_votes--> VoteStatistics --fit_statistics--> FittedLabelModel --posterior(model, L)--> probabilities
           merge(a, b)                    to_dict / from_dict (JSON)          contributions(model, row)

Free functions on arrays do the mathematics; `LabelModel` is a thin class around them. Only `model_file` opens files.
"""

from labeljob.label_model.api import LabelModel, MajorityLabelVoter, NotFittedError
from labeljob.label_model.contributions import contributions, without_each
from labeljob.label_model.fitting import fit_statistics
from labeljob.label_model.influence import Influence, influence
from labeljob.label_model.model import FittedLabelModel, Member, estimated_accuracy, fallback_posterior, posterior, weights
from labeljob.label_model.serialization import FORMAT_VERSION, ModelFormatError, from_dict, to_dict
from labeljob.label_model.statistics import VoteStatistics, from_votes, merge, merge_all
from labeljob.label_model.top import Top, posterior_top

__all__ = [
    "FORMAT_VERSION",
    "FittedLabelModel",
    "Influence",
    "LabelModel",
    "MajorityLabelVoter",
    "Member",
    "ModelFormatError",
    "NotFittedError",
    "Top",
    "VoteStatistics",
    "contributions",
    "estimated_accuracy",
    "fallback_posterior",
    "fit_statistics",
    "from_dict",
    "from_votes",
    "influence",
    "merge",
    "merge_all",
    "posterior",
    "posterior_top",
    "to_dict",
    "weights",
    "without_each",
]
