"""The label model: votes in, probabilistic labels out, on mergeable statistics.

    L --from_votes--> VoteStatistics --fit_statistics--> FittedLabelModel --posterior(model, L)--> probabilities
     VoteReducer, merge(a, b)             to_dict / from_dict (JSON)          contributions(model, row)
     to_bytes / from_bytes

Free functions on arrays do the mathematics; `LabelModel` is a thin class around them. Only `model_file` opens files.
"""

from labeljob.label_model.api import LabelModel, MajorityLabelVoter, NotFittedError
from labeljob.label_model.contributions import contributions, without_each
from labeljob.label_model.fitting.fit import fit_statistics
from labeljob.label_model.fitting.semi_supervised import cross_fitted_proba, with_known
from labeljob.label_model.influence import Influence, influence
from labeljob.label_model.model import FittedLabelModel, Member, estimated_accuracy, fallback_posterior, posterior, weights
from labeljob.label_model.multi_label import MultiLabelModel, binary_votes
from labeljob.label_model.serialization import FORMAT_VERSION, ModelFormatError, from_dict, to_dict
from labeljob.label_model.side.evidence import PartialClasses
from labeljob.label_model.statistics.reducer import VoteReducer
from labeljob.label_model.statistics.sampling import Budget
from labeljob.label_model.statistics.statistics_bytes import from_bytes, to_bytes
from labeljob.label_model.statistics.vote_statistics import VoteStatistics, from_votes, merge, merge_all
from labeljob.label_model.top import Top, posterior_top

__all__ = [
    "FORMAT_VERSION",
    "Budget",
    "FittedLabelModel",
    "Influence",
    "LabelModel",
    "MajorityLabelVoter",
    "Member",
    "ModelFormatError",
    "MultiLabelModel",
    "NotFittedError",
    "PartialClasses",
    "Top",
    "VoteReducer",
    "VoteStatistics",
    "binary_votes",
    "contributions",
    "cross_fitted_proba",
    "estimated_accuracy",
    "fallback_posterior",
    "fit_statistics",
    "from_bytes",
    "from_dict",
    "from_votes",
    "influence",
    "merge",
    "merge_all",
    "posterior",
    "posterior_top",
    "to_bytes",
    "to_dict",
    "weights",
    "with_known",
    "without_each",
]
