"""What a notebook needs on day one, under the names that users of Snorkel know; see `docs/coming-from-snorkel.md`.

    LFSet.from_yaml(path).apply(df)  or  PandasLFApplier(functions).apply(df)  -->  L  -->  LabelModel, LFAnalysis

Nothing in the job imports this package.
"""

from labeljob.analysis import LFAnalysis
from labeljob.label_model import LabelModel, MajorityLabelVoter
from labeljob.notebook.appliers import ApplierMetadata, LFApplier, PandasLFApplier
from labeljob.notebook.exchange import ExchangeError, from_crowdkit, from_wrench, load_votes, to_crowdkit
from labeljob.notebook.functions import LabelingFunction, labeling_function
from labeljob.notebook.lf_set import LFSet
from labeljob.notebook.manifest import ManifestError
from labeljob.notebook.probabilities import classifier_votes, label_quality_scores, preds_to_probs, probs_to_preds
from labeljob.notebook.rows import filter_unlabeled_dataframe, get_label_buckets, get_label_instances, wrong_rows

__all__ = [
    "ApplierMetadata",
    "ExchangeError",
    "LFAnalysis",
    "LFApplier",
    "LFSet",
    "LabelModel",
    "LabelingFunction",
    "MajorityLabelVoter",
    "ManifestError",
    "PandasLFApplier",
    "classifier_votes",
    "filter_unlabeled_dataframe",
    "from_crowdkit",
    "from_wrench",
    "get_label_buckets",
    "get_label_instances",
    "label_quality_scores",
    "labeling_function",
    "load_votes",
    "preds_to_probs",
    "probs_to_preds",
    "to_crowdkit",
    "wrong_rows",
]
