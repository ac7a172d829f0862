"""The report of a run with label sets: the page of other runs, with what differs."""

from functools import partial
from typing import Any

import numpy as np
from markupsafe import Markup

from labeljob.contract.reading import ReadingRequest
from labeljob.multi_label.artifact import SetsArtifact
from labeljob.multi_label.counts import AnswerCounts, conflict_counts
from labeljob.multi_label.fitting import reduced
from labeljob.multi_label.influence import set_flips
from labeljob.reading import plots
from labeljob.reading.dependence_plot import dependence_plot
from labeljob.reading.page import PAIRS, class_scores_of, pairs_of, percent, share_text, template, tiles_of
from labeljob.reading.sets import SIZES, SetLabels
from labeljob.votes import FloatArray

COLUMNS = ["labelled, rightly", "missed", "labelled, wrongly", "left out, rightly"]


def sets_page(request: ReadingRequest, artifact: SetsArtifact, labels: SetLabels) -> str:
    """The page. Equal inputs give equal text."""
    classes, counts, figures = list(artifact.function_set.classes), labels.functions, labels.figures
    found, names = figures.gold_scores(), artifact.voters.names
    dependent = _dependent(artifact)
    methods = {one.method for one in artifact.calibration.calibrators}
    bars = [*figures.with_class.tolist(), int(figures.sizes[0]), figures.rows - figures.labelled]
    parts = [*("no label", "one label", "two labels"), f"{SIZES - 1} or more"]
    return template().render(
        request=request,
        left_out=0,  # gold never teaches here
        set=artifact.function_set,
        tiles=tiles_of(figures.metrics(labels.gold_rows or None), figures.intervals()),
        calibration=methods.pop() if len(methods) == 1 else "by class",
        functions=_functions(artifact, labels),
        pairs=pairs_of(names, labels.conflicts, labels.disagreements, partial(conflict_counts, artifact.tasks, len(names))),
        dependent=dependent[:PAIRS],
        dependence_plot=Markup(dependence_plot(list(names), _pairs(artifact))) if dependent else None,  # noqa: S704 SVG of our own, its text escaped by the renderer
        notes=[f"{name}: {note}" for name, model in zip(classes, artifact.models, strict=True) for note in model.notes],
        unsure=[{"id": row, "label": label, "confidence": f"{confidence:.3f}"} for confidence, row, label in labels.unsure],
        confusion=_confusion(labels, classes) if found.covered else [],
        confusion_columns=COLUMNS,
        class_scores=class_scores_of(classes, found) if found.covered else [],
        coverage_plot=Markup(plots.coverage_bars(names, _shares(counts), classes)),  # noqa: S704
        confidence_plot=Markup(plots.confidence_bars(labels.confidence, parts, 0.5, "confidence (share of the classes expected to be right)")),  # noqa: S704
        conflict_plot=Markup(plots.conflict_cells(names, labels.conflicts, counts.rows)) if labels.conflicts.any() else None,  # noqa: S704
        distribution_plot=Markup(plots.distribution_bars(classes, bars, ["none of them", "not labelled"])),  # noqa: S704
        reliability_plot=Markup(plots.reliability_plot(found.reliability, 2, "answers on gold")) if found.covered else None,  # noqa: S704
        gold_rows=found.rows,
    )


def _shares(counts: AnswerCounts) -> FloatArray:
    """Share of rows that each function votes on, in parts as its answers are for each class, float64 [n_functions, n_classes]."""
    answers = counts.yes + counts.no
    return np.asarray(answers / np.maximum(answers.sum(axis=1, keepdims=True), 1) * counts.cast[:, None] / max(counts.rows, 1))


def _functions(artifact: SetsArtifact, labels: SetLabels) -> list[dict[str, Any]]:
    counts, columns = labels.functions, labels.functions.columns(artifact.models, artifact.estimated)
    rows = reduced(labels.votes.statistics(), artifact.voters, len(artifact.tasks))
    flips = set_flips(artifact.models, artifact.tasks, artifact.voters, rows)
    return [
        {
            "name": function.name,
            "kind": function.kind,
            "owner": function.owner or "–",
            "fallback": function.is_fallback,
            "votes": _votes_for(artifact, labels, i),
            "coverage": percent(columns.coverage[i]),
            "overlaps": percent(columns.overlaps[i]),
            "conflicts": percent(columns.conflicts[i]),
            "errors": percent(artifact.functions.error_rate[i]),
            "estimated": percent(columns.estimated_accuracy[i]),
            "interval": "",
            "empirical": percent(columns.empirical_accuracy[i]),
            "judged": int(counts.judged[i]),
            "weight": "–" if columns.weight[i] is None else f"{columns.weight[i]:.2f}",
            "flips": share_text(flips[i]),
        }
        for i, function in enumerate(artifact.function_set.enabled_functions)
    ]


def _votes_for(artifact: SetsArtifact, labels: SetLabels, i: int) -> str:
    classes, yes, no = artifact.function_set.classes, labels.functions.yes[i], labels.functions.no[i]
    named = [classes[k] for k in np.flatnonzero(yes)] + [f"not {classes[k]}" for k in np.flatnonzero((no > 0) & (yes == 0))]
    return ", ".join(named) or "never votes"


def _pairs(artifact: SetsArtifact) -> list[tuple[int, int, float]]:
    """Pairs of functions that repeat one another in some task, by their columns, strongest first."""
    found: dict[tuple[int, int], float] = {}
    for task, model in zip(artifact.tasks, artifact.models, strict=True):
        for i, j, value in model.dependent:
            pair = (int(task.functions[i]), int(task.functions[j]))
            found[pair] = max(value, found.get(pair, 0.0))
    return [(*pair, value) for pair, value in sorted(found.items(), key=lambda item: (-item[1], item[0]))]


def _dependent(artifact: SetsArtifact) -> list[dict[str, str]]:
    names = artifact.voters.names
    return [{"one": names[i], "other": names[j], "correlation": f"{value:.2f}", "counts": "–"} for i, j, value in _pairs(artifact)]


def _confusion(labels: SetLabels, classes: list[str]) -> list[dict[str, Any]]:
    found, gold = labels.figures.labelled_gold()
    has, said = gold.labels, found.labels
    counts = [(has & said).sum(axis=0), (has & ~said).sum(axis=0), (~has & said).sum(axis=0), (~has & ~said).sum(axis=0)]
    return [{"gold": name, "counts": [f"{int(of[k]):,}" for of in counts]} for k, name in enumerate(classes)]
