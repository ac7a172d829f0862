"""Names on the wire that never change."""

from dataclasses import dataclass

GROUP = "labelplane.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

RECONCILE_AT = f"{GROUP}/reconcile-at"  # annotation: any new value asks for a reconcile
RECONCILE = f"{GROUP}/reconcile"  # annotation: "disabled" makes the operator keep its hands off

OWNER_KIND_LABEL = f"{GROUP}/owner-kind"
OWNER_NAME_LABEL = f"{GROUP}/owner-name"
STEP_LABEL = f"{GROUP}/step"
CONFIG_DIGEST_ANNOTATION = f"{GROUP}/config-digest"
CLAIMS_ANNOTATION = f"{GROUP}/claims"  # of a Job: access modes of its claims when it was made
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "labelplane"


@dataclass(frozen=True)
class Kind:
    """One of our kinds, as discovery names it."""

    kind: str
    plural: str
    singular: str
    short: str


FUNCTION_SET = Kind("LabelingFunctionSet", "labelingfunctionsets", "labelingfunctionset", "lfs")
LABEL_MODEL = Kind("LabelModel", "labelmodels", "labelmodel", "lm")
LABEL_JOB = Kind("LabelJob", "labeljobs", "labeljob", "lj")
KINDS = (FUNCTION_SET, LABEL_MODEL, LABEL_JOB)


@dataclass(frozen=True, order=True)
class Key:
    """Identity of a resource."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"
