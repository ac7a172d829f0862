"""What the decisions about one LabelModel look at: its functions, the models that vote in it, how it runs, and what was asked."""

from dataclasses import dataclass
from datetime import datetime

from labeljob.contract.digests import digest_of
from labelplane.api.function_set import LabelingFunctionSet
from labelplane.api.label_model import LabelModel, LabelModelStatus
from labelplane.api.runtime import Runtime
from labelplane.plan.inputs import WantedInput, wanted_inputs
from labelplane.plan.observed import Observed
from labelplane.plan.runtime import image_of, merged
from labelplane.settings import Settings

WITHOUT_EFFECT = ("shards", "max_parallelism")  # fields of the spec that change how a fit runs, and nothing that it writes


@dataclass(frozen=True)
class ModelContext:
    """All that the decisions about one model look at.

    Attributes:
        request: digest of what `latest` is resolved for: a new generation, other functions, other versions of input models, another image, or reconcile-at.
        scope: see `ModelPins`.
    """

    resource: LabelModel
    function_set: LabelingFunctionSet
    observed: Observed
    runtime: Runtime
    inputs: tuple[WantedInput, ...]
    request: str
    scope: str
    image: str
    now: datetime

    @property
    def status(self) -> LabelModelStatus:
        """The status without the progress of a fit: whoever decides that one goes on puts it there."""
        return self.resource.status.model_copy(update={"progress": None})


def model_context(resource: LabelModel, function_set: LabelingFunctionSet, observed: Observed, settings: Settings, now: datetime) -> ModelContext:
    """Raises Waiting or Stalled for input models that are not there."""
    inputs = wanted_inputs(resource, observed)
    runtime = merged(resource.spec.runtime, function_set.spec.runtime)
    image, metadata = image_of(runtime, settings), resource.metadata
    voting = [[[one.query.wire(), one.digest] for one in inputs]] if inputs else []
    asked = [metadata.reconcile_at, function_set.status.digest, image, *voting]
    lasting = resource.spec.model_copy(update=dict.fromkeys(WITHOUT_EFFECT)).wire()
    request, scope = digest_of([metadata.uid, metadata.generation, *asked]), digest_of([metadata.uid, lasting, *asked])
    return ModelContext(resource, function_set, observed, runtime, inputs, request, scope, image, now)
