"""The state that a dataset is in now, as a pin (C1, X16). Each format loads what it needs: a Delta table no Arrow, for one."""

from labeljob.contract.datasets import Dataset, DatasetPin
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.content import file_digest, one_file
from labeljob.io.locations import Locations


def pin(dataset: Dataset, locations: Locations) -> DatasetPin:
    """The state a dataset is in now (`latest`), or the version it names."""
    path = locations.existing(dataset.uri)
    version = None if dataset.version == "latest" else dataset.version
    if dataset.format == "delta":
        from labeljob.io.delta_pins import open_latest, pin_of

        return pin_of(open_latest(path, dataset.uri, int(version) if version is not None else None), dataset.uri)
    if version is not None:
        why = f"version goes with format delta, not {dataset.format}: remove it"
        raise JobError(JobReason.SOURCE_UNREADABLE, f"{dataset.uri}: {why}")
    if dataset.format == "parquet":
        from labeljob.io.parquet import parquet_digest

        return DatasetPin(uri=dataset.uri, format=dataset.format, digest=parquet_digest(path))
    return DatasetPin(uri=dataset.uri, format=dataset.format, digest=file_digest(one_file(path, dataset.uri)))
