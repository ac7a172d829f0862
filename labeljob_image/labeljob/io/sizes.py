"""How many bytes a dataset has, told without Arrow where its log says so."""

from labeljob.contract.datasets import DatasetPin
from labeljob.io.locations import Locations
from labeljob.io.places import state_of


def bytes_of(pin: DatasetPin, locations: Locations) -> int:
    """Bytes of the data files as they are stored."""
    path = locations.existing(pin.uri)
    if pin.format == "delta":
        from labeljob.io.delta_pins import open_latest

        sizes = open_latest(path, pin.uri, pin.version).get_add_actions(flatten=True).column("size_bytes")
        return sum(sizes.to_pylist())
    if pin.format == "parquet":
        from labeljob.io.parquet import data_files

        return sum(state_of(file)[0] for file in data_files(path))
    return state_of(path)[0]
