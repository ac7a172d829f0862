"""A run's report as one HTML page: no script, no link out, every word of a user's escaped."""

from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from labeljob.contract.functions import LabelingFunction
from labeljob.contract.reading import ReadingRequest
from labeljob.model_artifact import ModelArtifact
from labeljob.reading import plots
from labeljob.reading.labels import Labels
from labeljob.said import partial_text

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


def page(request: ReadingRequest, artifact: ModelArtifact, labels: Labels) -> str:
    """The page. Equal inputs give equal text."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("labeljob.reading").joinpath("report.html.j2").read_text(encoding="utf-8"))
    drawn = plots.known_rows(labels) if plots.has_gold(labels) else None
    return template.render(
        request=request,
        set=artifact.function_set,
        tiles=_tiles(labels),
        functions=_functions(artifact, labels),
        pairs=_pairs(labels),
        unsure=[{"id": row, "label": label, "confidence": f"{confidence:.3f}"} for confidence, row, label in labels.unsure],
        confusion=_confusion(artifact, labels) if drawn else [],
        coverage_plot=Markup(plots.coverage_plot(labels, artifact.function_set)),  # noqa: S704 SVG of our own, its text escaped by the renderer
        confidence_plot=Markup(plots.confidence_plot(labels, artifact.function_set)),  # noqa: S704
        conflict_plot=Markup(plots.conflict_plot(labels)) if labels.conflicts.any() else None,  # noqa: S704
        distribution_plot=Markup(plots.distribution_plot(labels, artifact.function_set)),  # noqa: S704
        reliability_plot=Markup(plots.reliability_plot(*drawn)) if drawn else None,  # noqa: S704
        gold_rows=int(sum(len(gold) for _, gold in labels.figures.known)),
    )


def _tiles(labels: Labels) -> list[dict[str, str]]:
    metrics = labels.metrics()
    return [{"title": title, "what": what, "value": _number(metrics[name])} for name, title, what in TILES if metrics.get(name) is not None]


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value == int(value) and value > 1 else f"{value:.3f}"


def _functions(artifact: ModelArtifact, labels: Labels) -> list[dict[str, Any]]:
    function_set, columns = artifact.function_set, labels.functions.columns(artifact.model)
    return [
        {
            "name": function.name,
            "kind": function.kind,
            "owner": function.owner or "–",
            "fallback": function.is_fallback,
            "votes": _votes_for(function, function_set.classes, labels, i),
            "coverage": _percent(columns.coverage[i]),
            "overlaps": _percent(columns.overlaps[i]),
            "conflicts": _percent(columns.conflicts[i]),
            "errors": _percent(artifact.functions.error_rate[i]),
            "estimated": _percent(columns.estimated_accuracy[i]),
            "empirical": _percent(columns.empirical_accuracy[i]),
            "judged": int(labels.functions.judged[i]),
            "weight": "–" if columns.weight[i] is None else f"{columns.weight[i]:.2f}",
        }
        for i, function in enumerate(function_set.enabled_functions)
    ]


def _votes_for(function: LabelingFunction, classes: list[str], labels: Labels, i: int) -> str:
    if labels.functions.partial[i]:
        return partial_text(function, classes) or ""
    return ", ".join(classes[k] for k in np.flatnonzero(labels.functions.votes[i])) or "never votes"


def _percent(thousandths: int | None) -> str:
    return "–" if thousandths is None else f"{thousandths / 10:.1f} %"


def _pairs(labels: Labels) -> list[dict[str, object]]:
    """The pairs of functions that disagree on most rows."""
    names, upper = labels.functions.voters.names, np.triu(labels.conflicts, 1)
    order = np.argsort(-upper, axis=None, kind="stable")[:PAIRS]
    found = [tuple(int(x) for x in np.unravel_index(at, upper.shape)) for at in order]
    return [{"one": names[i], "other": names[j], "rows": f"{upper[i, j]:,}"} for i, j in found if upper[i, j]]


def _confusion(artifact: ModelArtifact, labels: Labels) -> list[dict[str, Any]]:
    return [{"gold": name, "counts": [f"{n:,}" for n in row]} for name, row in zip(artifact.function_set.classes, labels.confusion.tolist(), strict=True)]
