"""What is said of a field that is wrong: what stands there, and what to write instead."""

from pydantic_core import ErrorDetails

from labeljob.contract.datasets import SECRET_PATTERN, URI_PATTERN, VOLUME_URI_PATTERN
from labeljob.contract.durations import DURATION_PATTERN
from labeljob.contract.functions import CLASS_PATTERN, ENTRYPOINT_PATTERN, FUNCTION_PATTERN
from labeljob.contract.privacy import REF_KEY_PATTERN, REF_NAME_PATTERN
from labelplane.api.runtime import ENV_NAME_PATTERN
from labelplane.api.schedules import SCHEDULE_PATTERN, ZONE_PATTERN

NAME = "is not a name here: at most 63 letters, digits, _ . and -, the first a letter or digit"
MAPPING = "is not a mapping: write its fields below it, indented"
LIST = "is not a list: write one item a line, each after a dash"
BY_TYPE = {
    "missing": "is required: add it",
    "extra_forbidden": "unknown field: correct its name or remove it",
    "string_type": "is not text: put it in quotes",
    "int_type": "is not a whole number: write one, without quotes",
    "float_type": "is not a number: write one, without quotes",
    "bool_type": "is neither true nor false: write one of them, without quotes",
    "list_type": LIST,
    "tuple_type": LIST,
    "dict_type": MAPPING,
    "model_type": MAPPING,
    "model_attributes_type": MAPPING,
}
BY_PATTERN = {
    URI_PATTERN: "must be pvc://claim/path, s3://bucket/key, configmap://name/key, or on a laptop file:path",
    VOLUME_URI_PATTERN: "must be pvc://claim/path, s3://bucket/prefix, or on a laptop file:path",
    SECRET_PATTERN: "is not the name of a Secret: lower-case letters, digits, - and ., the first and last no sign",
    DURATION_PATTERN: "must be a duration such as 90s, 30m or 168h; h is the largest unit",
    CLASS_PATTERN: NAME,
    FUNCTION_PATTERN: NAME,
    REF_NAME_PATTERN: "is not the name of a Secret of this namespace: lower-case letters, digits, - and .",
    REF_KEY_PATTERN: "is not a key of a Secret: letters, digits, -, _ and ., the first no dot",
    ENTRYPOINT_PATTERN: "must be module:function, such as acme_lfs:slow_rollout",
    SCHEDULE_PATTERN: "must be five fields, minute, hour, day of month, month and day of week, as in 0 3 * * 1",
    ZONE_PATTERN: "is no time zone: use a name such as Europe/Berlin",
    ENV_NAME_PATTERN: "is not the name of a variable: letters, digits and _, the first no digit",
}


def said(error: ErrorDetails) -> str:
    """One error of pydantic's, in the words of this page where it has some."""
    known = BY_TYPE.get(error["type"]) or BY_PATTERN.get(str(error.get("ctx", {}).get("pattern")))
    if known:
        return known
    text = error["msg"].removeprefix("Value error, ").removeprefix("Input ").replace(" after validation", "")
    return text[0].lower() + text[1:]
