"""A run's report as one HTML page: no script, no link out, every word of a user's escaped."""

import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from labeljob.contract.calibration import Interval
from labeljob.contract.functions import LabelingFunction
from labeljob.contract.reading import ReadingRequest
from labeljob.gold_scores import Estimate, GoldScores
from labeljob.label_model import influence
from labeljob.model_artifact import ModelArtifact
from labeljob.reading import plots
from labeljob.reading.dependence_plot import dependence_plot
from labeljob.reading.disagreements import Conflicts, Disagreements
from labeljob.reading.labels import Labels
from labeljob.said import partial_text
from labeljob.votes import FloatArray, IntArray

PAIRS = 10
TILES = (
    ("rows", "rows", ""),
    ("coverage", "coverage", "rows that a function votes on"),
    ("conflictRate", "conflict", "covered rows whose votes disagree"),
    ("meanConfidence", "confidence", "mean over covered rows"),
    ("precision", "precision", "macro, on gold"),
    ("recall", "recall", "macro, on gold"),
    ("brier", "Brier score", "on gold; 0 is best"),
    ("ece", "ECE", "calibration error on gold"),
)


def page(request: ReadingRequest, artifact: ModelArtifact, labels: Labels, left_out: int = 0) -> str:
    """The page. Equal inputs give equal text. `left_out`: gold rows that taught the model and score nothing here."""
    found = labels.figures.gold_scores()
    return template().render(
        request=request,
        set=artifact.function_set,
        tiles=tiles_of(labels.metrics(), labels.figures.intervals()),
        calibration=artifact.calibration.calibrator.method,
        functions=_functions(artifact, labels),
        pairs=pairs_of(labels.functions.voters.names, labels.conflicts, labels.disagreements, labels.conflicts_of),
        dependent=_dependent(artifact, labels),
        dependence_plot=_dependence_graph(artifact, labels),
        notes=[note.partition(": ")[2] or note for note in artifact.model.notes],
        unsure=[{"id": row, "label": label, "confidence": f"{confidence:.3f}"} for confidence, row, label in labels.unsure],
        confusion=_confusion(artifact, labels) if found.covered else [],
        confusion_columns=[*artifact.function_set.classes, "no label"],
        class_scores=class_scores_of(list(artifact.function_set.classes), found) if found.covered else [],
        coverage_plot=Markup(plots.coverage_plot(labels, artifact.function_set)),  # noqa: S704 SVG of our own, its text escaped by the renderer
        confidence_plot=Markup(plots.confidence_plot(labels, artifact.function_set)),  # noqa: S704
        conflict_plot=Markup(plots.conflict_plot(labels)) if labels.conflicts.any() else None,  # noqa: S704
        distribution_plot=Markup(plots.distribution_plot(labels, artifact.function_set)),  # noqa: S704
        reliability_plot=Markup(plots.reliability_plot(found.reliability, len(found.classes))) if found.covered else None,  # noqa: S704
        gold_rows=found.rows,
        left_out=left_out,
    )


def template() -> jinja2.Template:
    """The page without its content."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(files("labeljob.reading").joinpath("report.html.j2").read_text(encoding="utf-8"))


def tiles_of(metrics: Mapping[str, float | None], intervals: Mapping[str, Interval]) -> list[dict[str, str]]:
    """The figures at the head of the page."""
    return [
        {"title": title, "what": what + _between(intervals.get(name)), "value": _number(metrics[name])}
        for name, title, what in TILES
        if metrics.get(name) is not None
    ]


def _between(interval: Interval | None) -> str:
    return "" if interval is None else f"; 95 %: {interval.low:.3f} to {interval.high:.3f}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value == int(value) and value > 1 else f"{value:.3f}"


def _functions(artifact: ModelArtifact, labels: Labels) -> list[dict[str, Any]]:
    function_set, columns = artifact.function_set, labels.functions.columns(artifact.model)
    flips = _flips(artifact, labels)
    return [
        {
            "name": function.name,
            "kind": function.kind,
            "owner": function.owner or "–",
            "fallback": function.is_fallback,
            "votes": _votes_for(function, function_set.classes, labels, i),
            "coverage": percent(columns.coverage[i]),
            "overlaps": percent(columns.overlaps[i]),
            "conflicts": percent(columns.conflicts[i]),
            "errors": percent(artifact.functions.error_rate[i]),
            "estimated": percent(columns.estimated_accuracy[i]),
            "interval": _interval(columns.accuracy_low[i], columns.accuracy_high[i]),
            "empirical": percent(columns.empirical_accuracy[i]),
            "judged": int(labels.functions.judged[i]),
            "weight": "–" if columns.weight[i] is None else f"{columns.weight[i]:.2f}",
            "flips": share_text(flips[i]),
        }
        for i, function in enumerate(function_set.enabled_functions)
    ]


def _flips(artifact: ModelArtifact, labels: Labels) -> FloatArray:
    """Share of the rows that would have another label without each function, float64 [n_functions]; NaN for fallbacks and without rows."""
    voters = labels.functions.voters
    shares = np.full(len(voters.names), np.nan)
    statistics = labels.votes.statistics()
    if len(voters.regular) and statistics.rows:
        shares[voters.regular] = influence(artifact.model, statistics).flips
    return shares


def _votes_for(function: LabelingFunction, classes: list[str], labels: Labels, i: int) -> str:
    if labels.functions.partial[i]:
        return partial_text(function, classes) or ""
    return ", ".join(classes[k] for k in np.flatnonzero(labels.functions.votes[i])) or "never votes"


def percent(thousandths: int | None) -> str:
    """A share in thousandths, for people."""
    return "–" if thousandths is None else f"{thousandths / 10:.1f} %"


def share_text(value: float) -> str:
    """A share that may be unknown (NaN), for people."""
    return "–" if np.isnan(value) else f"{value:.1%}".replace("%", " %")


def _interval(low: int | None, high: int | None) -> str:
    return "" if low is None or high is None else f"{low / 10:.1f}–{high / 10:.1f}"


def class_scores_of(classes: list[str], found: GoldScores) -> list[dict[str, str]]:
    """A line for each class."""

    def share(one: Estimate) -> str:
        return "–" if math.isnan(one.value) else f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"

    def number(value: float) -> str:
        return "–" if math.isnan(value) else f"{value:.3f}"

    return [
        {"name": name, "rows": f"{one.rows:,}", "precision": share(one.precision), "recall": share(one.recall)}
        | {"brier": number(one.brier), "loss": number(one.log_loss), "ece": number(one.ece)}
        for name, one in zip(classes, found.classes, strict=True)
    ]


def pairs_of(names: Sequence[str], conflicts: IntArray, disagreements: Disagreements, conflicts_of: Conflicts) -> list[dict[str, str]]:
    """The pairs of functions that disagree on most rows, with the ids of some."""
    upper = np.triu(conflicts, 1)
    order = np.argsort(-upper, axis=None, kind="stable")[:PAIRS]
    pairs = [(int(at) // len(names), int(at) % len(names)) for at in order if upper.flat[at]]
    shown = disagreements.of(pairs, conflicts_of)
    return [
        {"one": names[i], "other": names[j], "rows": f"{upper[i, j]:,}", "ids": ", ".join(ids)} for (i, j), ids in zip(pairs, shown, strict=True)
    ]


def _dependent(artifact: ModelArtifact, labels: Labels) -> list[dict[str, str]]:
    """Functions that repeat one another, by name, and what a vote of each then counts."""
    model, names = artifact.model, _regular(labels)
    counts = np.ones(len(names)) if model.discounts is None else model.discounts
    return [
        {"one": names[i], "other": names[j], "correlation": f"{value:.2f}", "counts": f"{counts[i]:.2f} and {counts[j]:.2f}"}
        for i, j, value in model.dependent[:PAIRS]
    ]


def _dependence_graph(artifact: ModelArtifact, labels: Labels) -> Markup | None:
    pairs = list(artifact.model.dependent)
    return Markup(dependence_plot(_regular(labels), pairs)) if pairs else None  # noqa: S704


def _regular(labels: Labels) -> list[str]:
    """Names of the functions that the model knows: all but fallbacks."""
    voters = labels.functions.voters
    return [voters.names[place] for place in voters.regular]


def _confusion(artifact: ModelArtifact, labels: Labels) -> list[dict[str, Any]]:
    return [{"gold": name, "counts": [f"{n:,}" for n in row]} for name, row in zip(artifact.function_set.classes, labels.confusion.tolist(), strict=True)]
