"""CEL rules of the CRDs, by the model they sit on. Each says the same as a validator of that model.

Every rule is tested at maximum size against a real API server: the cost budget is per rule and per CRD.
"""

Rule = dict[str, str]

_ONE_KIND = "[has(self.keywords), has(self.regex), has(self.threshold), has(self.sql), has(self.lookup), has(self.votes), has(self.python)].exists_one(k, k)"
_SECRET: Rule = {
    "rule": "!has(self.secretRef) || self.uri.startsWith('s3://')",
    "message": "secretRef goes with an s3:// uri: remove it, or correct the uri",
}
_NAMES_CLASSES = "has(self.lookup) || has(self.votes) || has(self.python)"

RULES: dict[str, list[Rule]] = {
    "FunctionSetSpec": [
        {
            "rule": "self.classes.all(c, self.classes.exists_one(d, d.lowerAscii() == c.lowerAscii()))",
            "message": "classes must be unique ignoring case: rename or remove the repeated one",
            "fieldPath": ".classes",
        },
        {
            "rule": "self.classes.all(c, c.lowerAscii() != 'abstain')",
            "message": "abstain is reserved: rename the class",
            "fieldPath": ".classes",
        },
        {
            "rule": "self.functions.all(f, self.functions.exists_one(g, g.name == f.name))",
            "message": "function names must be unique: rename the repeated one",
            "fieldPath": ".functions",
        },
        {
            "rule": "self.functions.all(f, !has(f.label) || f.label in self.classes)",
            "message": "every label must be one of spec.classes: correct the label or add the class",
            "fieldPath": ".functions",
        },
        {
            "rule": "self.functions.all(f, !has(f.labels) || (f.labels.all(c, c in self.classes) && f.labels.size() < self.classes.size()))",
            "message": "labels must be some of spec.classes and not all of them: correct them",
            "fieldPath": ".functions",
        },
        {
            "rule": "self.functions.all(f, !has(f.notLabel) || f.notLabel in self.classes)",
            "message": "notLabel must be one of spec.classes: correct it",
            "fieldPath": ".functions",
        },
        {
            "rule": "!(self.idColumn in ['label', 'confidence', 'probabilities', 'weight', 'covered', 'votes', 'levels', 'run'])",
            "message": "idColumn has the name of an output column: rename the column in the data",
            "fieldPath": ".idColumn",
        },
        {
            "rule": "self.idColumn != 'labels' || !has(self.multiLabel) || !self.multiLabel",
            "message": "idColumn has the name of an output column of multi-label sets: rename the column in the data",
            "fieldPath": ".idColumn",
        },
    ],
    "LabelingFunction": [
        {
            "rule": _ONE_KIND,
            "message": "needs exactly one of keywords, regex, threshold, sql, lookup, votes, python: keep one",
        },
        {
            "rule": f"[has(self.label), has(self.labels), has(self.notLabel)].filter(n, n).size() == ({_NAMES_CLASSES} ? 0 : 1)",
            "message": "label is required with keywords, regex, threshold and sql (or labels or notLabel in its place),"
            " and does not go with lookup, votes and python: keep one, or none",
        },
        {
            "rule": "!(has(self.fallback) && self.fallback) || !(has(self.labels) || has(self.notLabel) || (has(self.votes) && has(self.votes.probabilities)))",
            "message": "a fallback votes for one class: remove fallback, or name a label",
        },
        {
            "rule": "!has(self.accuracy) || (has(self.fallback) && self.fallback)",
            "message": "accuracy is for fallbacks only, others are estimated: remove it or set fallback: true",
        },
    ],
    "Column": [
        {
            "rule": "!has(self.sensitive) || self.sensitive != 'hash' || self.type in ['string', 'int64']",
            "message": "sensitive: hash is for string and int64 columns: use drop",
            "fieldPath": ".sensitive",
        },
    ],
    "Schema": [
        {
            "rule": "has(self.hashKeyRef) || !self.columns.exists(c, has(c.sensitive) && c.sensitive == 'hash')",
            "message": "hashKeyRef is required where a column has sensitive: hash: name the Secret and its key",
        },
    ],
    "Threshold": [
        {
            "rule": "has(self.above) || has(self.atLeast) || has(self.below) || has(self.atMost)",
            "message": "needs a bound: set above, atLeast, below or atMost",
        },
        {
            "rule": "!(has(self.above) && has(self.atLeast)) && !(has(self.below) && has(self.atMost))",
            "message": "has two bounds on one side: keep one of above/atLeast and one of below/atMost",
        },
    ],
    "VoteColumn": [
        {
            "rule": "[has(self.map), has(self.above) || has(self.below), has(self.probabilities)].exists_one(r, r)",
            "message": "needs either map, or above and/or below, or probabilities",
        },
        {
            "rule": "has(self.column) != has(self.probabilities)",
            "message": "column goes with map, above and below, and not with probabilities: add or remove it",
        },
    ],
    "LabelModelSpec": [
        {
            "rule": "!(has(self.parameters) && has(self.parameters.useGold) && self.parameters.useGold == 'fit') || has(self.goldData)",
            "message": "parameters.useGold: fit needs goldData: add it, or remove useGold",
        },
        {
            "rule": "!(has(self.parameters) && has(self.parameters.useGold) && self.parameters.useGold == 'fit' && has(self.algorithm))"
            " || !(self.algorithm in ['majority-vote', 'generative', 'triplet'])",
            "message": "parameters.useGold: fit has no effect on algorithms that do not learn from known classes (majority-vote, generative, triplet):"
            " remove useGold, or use another algorithm",
        },
    ],
    "Dataset": [_SECRET],
    "GoldDataset": [_SECRET],
    "LookupTable": [_SECRET],
    "Artifacts": [_SECRET],
    "Output": [
        _SECRET,
        {
            "rule": "self.uri == oldSelf.uri && self.format == oldSelf.format",
            "message": "output.uri and output.format cannot change: make a new LabelJob for another table",
        },
        {
            "rule": "(has(self.partitionBy) ? self.partitionBy : '') == (has(oldSelf.partitionBy) ? oldSelf.partitionBy : '')",
            "message": "output.partitionBy cannot change: make a new LabelJob for another table",
            "fieldPath": ".partitionBy",
        },
    ],
    "LabelJobSpec": [
        {
            "rule": "(has(self.mode) ? self.mode : 'once') == (has(oldSelf.mode) ? oldSelf.mode : 'once')",
            "message": "mode cannot change: make a new LabelJob",
            "fieldPath": ".mode",
        },
        {
            "rule": "!has(self.quarantine) || (has(self.schemaPolicy) && self.schemaPolicy == 'quarantine')",
            "message": "quarantine has an effect only with schemaPolicy: quarantine: add it, or remove quarantine",
            "fieldPath": ".quarantine",
        },
        {
            "rule": "(has(self.mode) && self.mode == 'scheduled') == has(self.schedule)",
            "message": "mode scheduled and schedule go together: give both, or neither",
        },
        {
            "rule": "has(self.schedule) || !(has(self.timeZone) || has(self.startingDeadlineSeconds))",
            "message": "timeZone and startingDeadlineSeconds go with a schedule: add spec.schedule, or remove them",
        },
    ],
}

NAME_RULE: Rule = {
    "rule": "self.metadata.name.size() <= 52",
    "message": "metadata.name must have at most 52 characters, so that the names of its pods fit: shorten it",
}
