"""Versions of a label model: what its artifact index says becomes status."""

from collections.abc import Sequence

from labeljob.contract.function_set import FunctionSet
from labeljob.contract.inputs import ModelInput, direct_inputs
from labeljob.contract.multi_label import AGAINST
from labeljob.contract.result import FunctionColumns, ModelVersion, VersionLine
from labelplane.api.label_model import ArtifactRef, CurrentVersion, FunctionFigures, FunctionSetPin, VersionEntry

HISTORY = 10


def current_version(version: ModelVersion, *, artifacts: str, function_set: str) -> CurrentVersion:
    """The version that serves."""
    return CurrentVersion(
        version=version.version,
        digest=version.fit_digest,
        artifact=ArtifactRef(uri=f"{artifacts.rstrip('/')}/v{version.version}", sha256=version.sha256),
        function_set=FunctionSetPin(name=function_set, digest=version.function_set_digest),
        training_data=version.data,
        image=version.image,
        algorithm=version.algorithm,
        why=version.why,
        metrics=rounded(version.metrics),
        intervals=version.intervals,
        dependent=version.dependent,
        notes=version.notes,
        start=version.start,
        inputs=version.inputs,
        calibration=version.calibration,
        privacy=version.privacy,
        fitted_at=version.fitted_at,
    )


def history(lines: Sequence[VersionLine], serving: int) -> list[VersionEntry]:
    """Newest first."""
    ordered = sorted(lines, key=lambda line: -line.version)[:HISTORY]
    return [
        VersionEntry(version=line.version, digest=line.fit_digest, fitted_at=line.fitted_at, state="promoted" if line.version == serving else "superseded")
        for line in ordered
    ]


def figures(columns: FunctionColumns | None, functions: FunctionSet, inputs: list[ModelInput]) -> list[FunctionFigures]:
    """Per-function figures by name, input models behind the functions; at most 100."""
    if columns is None:
        return []
    names = [*(function.name for function in functions.enabled_functions), *(one.voter for one in direct_inputs(inputs))]
    places = columns.index if columns.index is not None else range(len(columns.coverage))
    return [_figures(columns, row, names[place], functions) for row, place in enumerate(places) if place < len(names)][:100]


def _figures(columns: FunctionColumns, row: int, name: str, functions: FunctionSet) -> FunctionFigures:
    def share(values: Sequence[int | None]) -> float | None:
        value = values[row] if row < len(values) else None
        return None if value is None else value / 1000

    low, high = share(columns.accuracy_low), share(columns.accuracy_high)
    polarity = columns.polarity[row] if row < len(columns.polarity) else ""
    return FunctionFigures(
        name=name,
        polarity=[_polarity(index, functions.classes) for index in polarity.split(".") if index],
        coverage=share(columns.coverage),
        overlaps=share(columns.overlaps),
        conflicts=share(columns.conflicts),
        error_rate=share(columns.error_rate),
        estimated_accuracy=share(columns.estimated_accuracy),
        accuracy_interval=None if low is None or high is None else [low, high],
        empirical_accuracy=share(columns.empirical_accuracy),
        weight=columns.weight[row] if row < len(columns.weight) else None,
    )


def _polarity(index: str, classes: Sequence[str]) -> str:
    """A class that a function votes for, or of a multi-label set one that it votes against."""
    return f"not {classes[int(index.removeprefix(AGAINST))]}" if index.startswith(AGAINST) else classes[int(index)]


def rounded(metrics: dict[str, float | None]) -> dict[str, float | None]:
    """Metrics as people read them: four decimals; what is not known is left out."""
    return {name: round(value, 4) for name, value in metrics.items() if value is not None}
