"""Manifests that must be refused, each with the field and the words that its message must name.

`where` says who refuses: "admission" (the API server by the CRD, and `labelplane validate` alike) or
"check" (only the check Job and `labelplane validate` can know).
"""

from dataclasses import dataclass
from typing import Any, Literal

from tests.manifests import REMOVE, Manifest, changed, function_set, label_job, label_model


@dataclass(frozen=True)
class Malformed:
    """One bad manifest. `field` and `words` are looked for in the message."""

    id: str
    manifest: Manifest
    field: str
    words: str = ""
    where: Literal["admission", "check"] = "admission"


def _set(id_: str, path: str, value: Any, field: str | None = None, words: str = "") -> Malformed:
    return Malformed(f"set-{id_}", changed(function_set(), path, value), field or path, words)


def _check(id_: str, path: str, value: Any, field: str | None = None, words: str = "") -> Malformed:
    return Malformed(f"check-{id_}", changed(function_set(), path, value), field or path, words, "check")


def _model(id_: str, path: str, value: Any, field: str | None = None, words: str = "") -> Malformed:
    return Malformed(f"model-{id_}", changed(label_model(), path, value), field or path, words)


def _job(id_: str, path: str, value: Any, field: str | None = None, words: str = "") -> Malformed:
    return Malformed(f"job-{id_}", changed(label_job(), path, value), field or path, words)


_KEYWORDS = {"column": "message", "any": ["x"]}


def _multi_label() -> Manifest:
    """A good multi-label set: a rule looks for one class, a teacher gives a number for the other."""
    functions = [{"name": "rule", "label": "risky", "keywords": _KEYWORDS}, {"name": "teacher", "votes": {"probabilities": {"normal": "teacher_risk"}}}]
    manifest = changed(changed(function_set(), "spec.multiLabel", True), "spec.functions", functions)
    return changed(manifest, "spec.tests", [{"row": {"message": "x"}, "expect": {"rule": "risky"}}])


def _partial(**fields: Any) -> Manifest:
    return {"name": "partial", "keywords": _KEYWORDS} | fields


def _python(**fields: Any) -> Manifest:
    given = {"entrypoint": "acme_lfs:slow_rollout", "columns": ["message"]} | fields
    return {"name": "custom", "python": {name: value for name, value in given.items() if value is not None}}


def _soft(**columns: str) -> Manifest:
    return {"probabilities": columns}


def _hashing(kind: str, **more: Any) -> Manifest:
    """The contract of a good set, its second column hashed."""
    columns: list[Manifest] = function_set()["spec"]["schema"]["columns"]
    columns[1] |= {"type": kind, "sensitive": "hash"}
    schema = {"columns": columns, "hashKeyRef": {"name": "hashing", "key": "current"}} | more
    return {name: value for name, value in schema.items() if value is not None}


ADMISSION = (
    _set("no-classes", "spec.classes", REMOVE),
    _set("one-class", "spec.classes", ["risky"]),
    _set("128-classes", "spec.classes", [f"c{i}" for i in range(128)]),
    _set("class-abstain", "spec.classes", ["normal", "risky", "Abstain"], words="reserved"),
    _set("class-twice-ignoring-case", "spec.classes", ["normal", "risky", "Risky"], words="unique"),
    _set("class-with-space", "spec.classes", ["normal", "risky", "very bad"], "spec.classes[2]"),
    _set("class-is-a-number", "spec.classes", ["normal", "risky", 3], "spec.classes[2]"),
    _set("no-id-column", "spec.idColumn", REMOVE),
    _set("empty-id-column", "spec.idColumn", ""),
    _set("reserved-id-column", "spec.idColumn", "label", words="output column"),
    _set("no-schema", "spec.schema", REMOVE),
    _set("no-columns", "spec.schema.columns", []),
    _set("columns-not-a-list", "spec.schema.columns", {"name": "x"}),
    _set("column-without-type", "spec.schema.columns[1].type", REMOVE),
    _set("column-of-unknown-type", "spec.schema.columns[1].type", "varchar"),
    _set("column-twice", "spec.schema.columns[8]", {"name": "message", "type": "string"}, "spec.schema.columns"),
    _set("column-minimum-is-text", "spec.schema.columns[3].minimum", "zero"),
    _set("column-sensitive-unknown", "spec.schema.columns[6].sensitive", "encrypt"),
    _set("hash-of-a-float", "spec.schema", _hashing("float64"), "spec.schema.columns[1]", "hash is for string and int64"),
    _set("hash-without-key", "spec.schema", _hashing("string", hashKeyRef=None), "spec.schema", "hashKeyRef is required"),
    _set("hash-key-of-no-secret", "spec.schema", _hashing("string", hashKeyRef={"key": "current"}), "spec.schema.hashKeyRef"),
    _set("hash-key-that-is-a-path", "spec.schema", _hashing("string", hashKeyRef={"name": "s", "key": "../token"}), "spec.schema.hashKeyRef.key"),
    _set("hash-key-of-another-namespace", "spec.schema", _hashing("string", hashKeyRef={"name": "other/s", "key": "k"}), "spec.schema.hashKeyRef.name"),
    _set("column-availability-unknown", "spec.schema.columns[7].availability", "tomorrow"),
    _set("additional-columns-unknown", "spec.schema.additionalColumns", "maybe"),
    _set("no-functions", "spec.functions", []),
    _set("201-functions", "spec.functions", [{"name": f"f{i}", "label": "risky", "sql": "true"} for i in range(201)]),
    _set("function-without-name", "spec.functions[0].name", REMOVE),
    _set("function-name-with-space", "spec.functions[0].name", "crash loop"),
    _set("function-name-twice", "spec.functions[1].name", "crashloop_tag", "spec.functions", "unique"),
    _set("function-of-no-kind", "spec.functions[0].keywords", REMOVE, "spec.functions[0]", "exactly one"),
    _set("function-of-two-kinds", "spec.functions[1].keywords", _KEYWORDS, "spec.functions[1]", "exactly one"),
    _set("label-missing", "spec.functions[0].label", REMOVE, "spec.functions[0]", "label is required"),
    _set("label-with-lookup", "spec.functions[4].label", "risky", "spec.functions[4]", "label"),
    _set("label-not-a-class", "spec.functions[0].label", "dangerous", "spec.functions", "classes"),
    _set("accuracy-without-fallback", "spec.functions[0].accuracy", 0.7, "spec.functions[0]", "fallback"),
    _set("accuracy-of-one", "spec.functions[6].accuracy", 1),
    _set("abstain-unknown", "spec.functions[0].abstain", "never"),
    _set("enabled-is-text", "spec.functions[0].enabled", "no"),
    _set("keywords-without-column", "spec.functions[0].keywords.column", REMOVE),
    _set("keywords-empty", "spec.functions[0].keywords.any", []),
    _set("keywords-with-empty-word", "spec.functions[0].keywords.any", [""], "spec.functions[0].keywords.any[0]"),
    _set("keywords-match-unknown", "spec.functions[0].keywords.match", "fuzzy"),
    _set("regex-without-pattern", "spec.functions[1].regex.pattern", REMOVE),
    _set("regex-too-long", "spec.functions[1].regex.pattern", "a" * 4097),
    _set("threshold-without-bound", "spec.functions[2].threshold.above", REMOVE, "spec.functions[2].threshold", "bound"),
    _set("threshold-two-lower-bounds", "spec.functions[2].threshold.atLeast", 5, "spec.functions[2].threshold", "one side"),
    _set("threshold-bound-is-text", "spec.functions[2].threshold.above", "six"),
    _set("sql-empty", "spec.functions[3].sql", ""),
    _set("lookup-without-table", "spec.functions[4].lookup.table", REMOVE),
    _set("lookup-table-of-delta", "spec.functions[4].lookup.table.format", "delta"),
    _set("lookup-uri-of-unknown-scheme", "spec.functions[4].lookup.table.uri", "ftp://host/images.csv"),
    _set("lookup-secret-of-a-config-map", "spec.functions[4].lookup.table.secretRef", {"name": "keys"}, "spec.functions[4].lookup.table", "s3://"),
    _set("votes-map-and-bounds", "spec.functions[5].votes.map", {"1": "risky"}, "spec.functions[5].votes", "either"),
    _set("votes-without-reading", "spec.functions[5].votes", {"column": "teacher_risk"}, "spec.functions[5].votes", "either"),
    _set("votes-probabilities-and-map", "spec.functions[5].votes", {"map": {"1": "risky"}, "column": "teacher_risk", "probabilities": {"risky": "teacher_risk"}}, words="either"),
    _set("votes-probabilities-and-column", "spec.functions[5].votes", {"column": "teacher_risk", "probabilities": {"risky": "teacher_risk"}}, words="column"),
    _set("votes-bounds-without-column", "spec.functions[5].votes.column", REMOVE, "spec.functions[5].votes", "column"),
    _set("votes-probabilities-empty", "spec.functions[5].votes", {"probabilities": {}}, "spec.functions[5].votes.probabilities"),
    _set("label-and-not-label", "spec.functions[0].notLabel", "risky", "spec.functions[0]", "label"),
    _set("not-label-with-lookup", "spec.functions[4].notLabel", "risky", "spec.functions[4]", "label"),
    _set("not-label-not-a-class", "spec.functions[0]", _partial(notLabel="dangerous"), "spec.functions", "classes"),
    _set("labels-not-classes", "spec.functions[0]", _partial(labels=["normal", "dangerous"]), "spec.functions", "classes"),
    _set("labels-of-all-classes", "spec.functions[0]", _partial(labels=["normal", "risky"]), "spec.functions", "all"),
    _set("labels-of-one", "spec.functions[0]", _partial(labels=["risky"]), "spec.functions[0].labels"),
    _set("labels-twice", "spec.functions[0]", _partial(labels=["risky", "risky"]), "spec.functions[0]"),
    _set("fallback-votes-partially", "spec.functions[6]", _partial(notLabel="risky", fallback=True), "spec.functions[6]", "fallback"),
    _set("fallback-of-probabilities", "spec.functions[5]", {"name": "f", "votes": {"probabilities": {"risky": "teacher_risk"}}, "fallback": True}, words="fallback"),
    _set("reserved-id-column-levels", "spec.idColumn", "levels", words="output column"),
    _set("python-without-entrypoint", "spec.functions[0]", _python(entrypoint=None), "spec.functions[0].python.entrypoint"),
    _set("python-entrypoint-without-function", "spec.functions[0]", _python(entrypoint="acme_lfs"), "spec.functions[0].python.entrypoint"),
    _set("python-entrypoint-of-a-path", "spec.functions[0]", _python(entrypoint="../acme:f"), "spec.functions[0].python.entrypoint"),
    _set("python-without-columns", "spec.functions[0]", _python(columns=[]), "spec.functions[0].python.columns"),
    _set("python-column-twice", "spec.functions[0]", _python(columns=["message", "message"]), "spec.functions[0].python"),
    _set("python-timeout-of-nothing", "spec.functions[0]", _python(timeoutSeconds=0), "spec.functions[0].python.timeoutSeconds"),
    _set("label-with-python", "spec.functions[0]", {"label": "risky"} | _python(), "spec.functions[0]", "label"),
    _set("python-and-sql", "spec.functions[0]", {"sql": "true"} | _python(), "spec.functions[0]", "exactly one"),
    _set("multi-label-is-text", "spec.multiLabel", "yes"),
    Malformed("set-multi-label-id-column", changed(_multi_label(), "spec.idColumn", "labels"), "spec.idColumn", "multi-label sets"),
    _set("error-rate-over-one", "spec.limits.maxErrorRate", 1.5),
    _set("test-without-expect", "spec.tests[0].expect", REMOVE),
    _set("test-without-row", "spec.tests[0].row", REMOVE),
    _set("runtime-image-empty", "spec.runtime.image", ""),
    _set("runtime-env-name", "spec.runtime.env", [{"name": "1X", "value": "y"}], "spec.runtime.env[0].name"),
    _set("runtime-quantity-of-another-unit", "spec.runtime.resources", {"requests": {"memory": "2GB"}}, "spec.runtime.resources.requests"),
    _set("runtime-quantity-of-a-fractional-power", "spec.runtime.resources", {"limits": {"memory": "1e1.5"}}, "spec.runtime.resources.limits"),
    _set("runtime-quantity-of-a-fraction", "spec.runtime.resources", {"requests": {"cpu": 0.5}}, "spec.runtime.resources.requests"),
    _set("name-of-53", "metadata.name", "n" * 53, "metadata.name", "52"),
    _model("no-set", "spec.functionSetRef", REMOVE),
    _model("no-training-data", "spec.trainingData", REMOVE),
    _model("training-format-unknown", "spec.trainingData.format", "excel"),
    _model("training-version-negative", "spec.trainingData.version", -1, words="integer of 0 or more"),
    _model("training-version-word", "spec.trainingData.version", "newest", words="integer of 0 or more"),
    _model("training-uri-without-path", "spec.trainingData.uri", "pvc://lake"),
    _model("training-uri-bucket-without-key", "spec.trainingData.uri", "s3://lake"),
    _model("training-uri-leads-up", "spec.trainingData.uri", "s3://lake/../events"),
    _model("training-uri-with-space", "spec.trainingData.uri", "s3://lake/all events"),
    _model("training-secret-of-a-claim", "spec.trainingData.secretRef", {"name": "keys"}, "spec.trainingData", "s3://"),
    _model("gold-secret-of-a-claim", "spec.goldData.secretRef", {"name": "keys"}, "spec.goldData", "s3://"),
    _model("artifacts-secret-of-a-claim", "spec.artifacts.secretRef", {"name": "keys"}, "spec.artifacts", "s3://"),
    _model("artifacts-secret-without-name", "spec.artifacts", {"uri": "s3://lake/models", "secretRef": {}}, "spec.artifacts.secretRef.name"),
    _model("gold-without-label-column", "spec.goldData.labelColumn", REMOVE),
    _model("gold-probability-column-empty", "spec.goldData.inclusionProbabilityColumn", ""),
    _model("calibration-unknown", "spec.calibration", "magic"),
    _model("no-artifacts", "spec.artifacts", REMOVE),
    _model("artifacts-in-configmap", "spec.artifacts.uri", "configmap://models/x"),
    _model("algorithm-unknown", "spec.algorithm", "magic"),
    _model("iterations-zero", "spec.parameters.maxIterations", 0),
    _model("tolerance-zero", "spec.parameters.tolerance", 0),
    _model("tolerance-is-text", "spec.parameters.tolerance", "1e-6"),
    _model("start-from-nothing", "spec.parameters.startFrom", 0),
    _model("prior-accuracy-certain", "spec.parameters.priorAccuracy", 1),
    _model("prior-accuracy-negative", "spec.parameters.priorAccuracy", -0.2),
    _model("seed-negative", "spec.parameters.seed", -1),
    _model("use-gold-unknown", "spec.parameters.useGold", "train"),
    Malformed(
        "model-use-gold-without-gold",
        changed(changed(label_model(), "spec.goldData", REMOVE), "spec.parameters.useGold", "fit"), "spec", "useGold: fit needs goldData",
    ),
    Malformed(
        "model-use-gold-without-learning",
        changed(changed(label_model(), "spec.algorithm", "majority-vote"), "spec.parameters.useGold", "fit"), "spec", "useGold: fit has no effect",
    ),
    _model("inputs-empty", "spec.inputs", []),
    _model("input-without-name", "spec.inputs", [{"version": 1}]),
    _model("input-version-zero", "spec.inputs", [{"name": "other", "version": 0}]),
    _model("input-twice", "spec.inputs", [{"name": "other"}, {"name": "other", "version": 2}]),
    _model("input-name-is-long", "spec.inputs", [{"name": "n" * 53}]),
    _model("inputs-too-many", "spec.inputs", [{"name": f"other-{place}"} for place in range(5)]),
    _model("pin-zero", "spec.pin", 0),
    _model("refit-suspend-is-text", "spec.refit.suspend", "yes"),
    _model("no-shards", "spec.shards", 0, words="from 1 to 1000"),
    _model("shards-in-words", "spec.shards", "many", words="auto"),
    _model("too-many-pods-at-once", "spec.maxParallelism", 1001),
    _job("no-model", "spec.modelRef", REMOVE),
    _job("model-name-too-long", "spec.modelRef.name", "m" * 53),
    _job("model-version-zero", "spec.modelRef.version", 0),
    _job("no-input", "spec.input", REMOVE),
    _job("no-output", "spec.output", REMOVE),
    _job("output-of-csv", "spec.output.format", "csv"),
    _job("output-in-configmap", "spec.output.uri", "configmap://labels/x"),
    _job("output-secret-of-a-claim", "spec.output.secretRef", {"name": "keys"}, "spec.output", "s3://"),
    _job("output-secret-named-badly", "spec.output", {"uri": "s3://lake/labels", "format": "delta", "secretRef": {"name": "My_Keys"}}, "spec.output.secretRef.name"),
    _job("output-by-run", "spec.output.partitionBy", "run"),
    _job("mode-unknown", "spec.mode", "hourly"),
    _job("mode-scheduled-without-schedule", "spec.mode", "scheduled", "spec", "mode scheduled and schedule go together"),
    _job("schedule-without-mode", "spec.schedule", "0 3 * * 1", "spec", "mode scheduled and schedule go together"),
    _job("schedule-of-four-fields", "spec.schedule", "0 3 * *"),
    _job("time-zone-without-schedule", "spec.timeZone", "Europe/Berlin", "spec", "go with a schedule"),
    _job("time-zone-with-space", "spec.timeZone", "Europe / Berlin"),
    _job("starting-deadline-zero", "spec.startingDeadlineSeconds", 0),
    _job("on-model-change-unknown", "spec.onModelChange", "ignore"),
    _job("objective-over-one", "spec.objectives.coverage", 1.2),
    _job("ttl-in-days", "spec.runTTL", "7d"),
    _job("deadline-is-a-number", "spec.activeDeadline", 7200),
    _job("unknown-schema-policy", "spec.schemaPolicy", "skip"),
    _job("limit-without-quarantine", "spec.quarantine", {"maxShare": 0.1}, field="quarantine", words="add it, or remove quarantine"),
    Malformed("job-limit-over-one", changed(changed(label_job(), "spec.schemaPolicy", "quarantine"), "spec.quarantine", {"maxShare": 1.5}), "spec.quarantine.maxShare"),
    _job("no-shards", "spec.shards", 0, words="from 1 to 1000"),
    _job("too-many-shards", "spec.shards", 1001, words="from 1 to 1000"),
    _job("shards-in-words", "spec.shards", "many", words="auto"),
    _job("no-pod-at-once", "spec.maxParallelism", 0),
    _job("too-many-pods-at-once", "spec.maxParallelism", 1001),
    _job("votes-of-too-many-runs", "spec.historyLimit", 11),
    _job("votes-of-less-than-no-run", "spec.historyLimit", -1),
    _job("suspend-is-text", "spec.suspend", "true"),
    Malformed("job-no-spec", changed(label_job(), "spec", REMOVE), "spec"),
)

CHECK = (
    _check("keywords-column-undeclared", "spec.functions[0].keywords.column", "mesage"),
    _check("keywords-column-not-text", "spec.functions[0].keywords.column", "restarts"),
    _check("python-column-undeclared", "spec.functions[0]", _python(columns=["mesage"]), "spec.functions[0].python.columns[0]"),
    _check("python-column-sensitive", "spec.functions[0]", _python(columns=["message", "user_email"]), "spec.functions[0].python.columns[1]", "sensitive"),
    _check("python-column-of-later", "spec.functions[0]", _python(columns=["resolved_at"]), "spec.functions[0].python.columns[0]", "afterwards"),
    _check("regex-does-not-compile", "spec.functions[1].regex.pattern", "(unclosed"),
    _check("regex-lookahead", "spec.functions[1].regex.pattern", "(?=a)b"),
    _check("regex-matches-empty", "spec.functions[1].regex.pattern", "a*", words="empty"),
    _check("threshold-on-text", "spec.functions[2].threshold.column", "message"),
    _check("sensitive-column", "spec.functions[0].keywords.column", "user_email", words="sensitive"),
    _check("sensitive-column-in-sql", "spec.functions[3].sql", "user_email IS NULL", words="sensitive"),
    _check("hashed-column", "spec.schema", _hashing("string"), "spec.functions[0].keywords.column", "only a lookup can use it"),
    _check("later-id", "spec.schema.columns[0].availability", "later", "spec.idColumn", "later"),
    _check("later-column", "spec.functions[3].sql", "resolved_at IS NULL", words="later"),
    _check("sql-undeclared-column", "spec.functions[3].sql", "restart = 0"),
    _check("sql-not-boolean", "spec.functions[3].sql", "restarts + 1", words="BOOLEAN"),
    _check("sql-syntax", "spec.functions[3].sql", "restarts = = 0"),
    _check("sql-subquery", "spec.functions[3].sql", "restarts IN (SELECT 1)"),
    _check("sql-reads-a-file", "spec.functions[3].sql", "EXISTS (SELECT * FROM read_csv('/etc/passwd'))"),
    _check("sql-volatile", "spec.functions[3].sql", "random() < 0.5"),
    _check("sql-two-statements", "spec.functions[3].sql", "true; DROP TABLE rows"),
    _check("votes-unknown-class", "spec.functions[5].votes.above", {"dangerous": 0.8}, "spec.functions[5].votes.above"),
    _check("votes-overlap", "spec.functions[5].votes.above", {"risky": 0.1}, "spec.functions[5].votes"),
    _check("probabilities-of-unknown-class", "spec.functions[5].votes", _soft(dangerous="teacher_risk"), "spec.functions[5].votes.probabilities.dangerous"),
    _check("probabilities-of-undeclared-column", "spec.functions[5].votes", _soft(risky="teacher"), "spec.functions[5].votes.probabilities.risky"),
    _check("probabilities-of-text", "spec.functions[5].votes", _soft(risky="message"), "spec.functions[5].votes.probabilities.risky", "float64"),
    _check("probabilities-share-a-column", "spec.functions[5].votes", _soft(risky="teacher_risk", normal="teacher_risk"), "spec.functions[5].votes.probabilities", "two"),
    _check("test-expects-another-partial-vote", "spec.tests[0].expect", {"quiet": "not normal"}, "spec.tests[0].expect"),
    Malformed("check-multi-label-class-without-votes", changed(_multi_label(), "spec.classes", ["normal", "risky", "slow"]), "spec.classes[2]", "label: slow", "check"),
    Malformed(
        "check-multi-label-nothing-against", changed(_multi_label(), "spec.functions[0].abstain", "missing"), "spec.classes[1]", "notLabel: risky", "check"
    ),
    Malformed(
        "check-multi-label-test-of-probabilities", changed(_multi_label(), "spec.tests[0].expect", {"teacher": "normal"}), "spec.tests[0].expect.teacher",
        "leave it out", "check",
    ),
    _check("id-column-undeclared", "spec.idColumn", "id"),
    _check("test-of-unknown-function", "spec.tests[0].expect", {"crashlop": "risky"}, "spec.tests[0].expect"),
    _check("test-of-unknown-class", "spec.tests[0].expect", {"crashloop_tag": "danger"}, "spec.tests[0].expect"),
    _check("test-of-unknown-column", "spec.tests[0].row", {"mesage": "x"}, "spec.tests[0].row"),
    _check("test-fails", "spec.tests[0].expect", {"quiet": "normal"}, "spec.tests[0].expect", "abstain"),
)

ALL = ADMISSION + CHECK
