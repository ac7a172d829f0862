"""`parameters.startFrom`: the version that a fit starts from, pinned by its fit digest, so that the digest of the fit holds all that it depends on."""

from labeljob.contract.result import ResolveResult, StartPin
from labelplane.api.label_model import LabelModel
from labelplane.api.reasons import ControlReason
from labelplane.errors import Stalled


def start_pin(resource: LabelModel, found: ResolveResult) -> StartPin | None:
    """The version that was asked for. Raises Stalled when it is not among those that are kept."""
    wanted = resource.spec.parameters.start_from if resource.spec.parameters else None
    if wanted is None:
        return None
    line = next((line for line in found.versions if line.version == wanted), None)
    if line is None:
        known = ", ".join(str(line.version) for line in found.versions) or "none"
        text = f"spec.parameters.startFrom: there is no version {wanted} (there are: {known}): name one of these, or remove startFrom"
        raise Stalled(ControlReason.MODEL_VERSION_NOT_FOUND, text)
    return StartPin(version=line.version, fit_digest=line.fit_digest)
