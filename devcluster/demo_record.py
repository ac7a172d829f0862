"""What the demo made, written down before it is made, so that it can go again: one entry for each cluster it ran on."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Made:
    """What the demo made on one cluster; what was there before is not in it."""

    where: str  # named, kind or built
    kubeconfig: str
    context: str | None = None
    cluster: str | None = None  # name of the cluster itself, when the demo made it
    namespaces: list[str] = field(default_factory=list)
    release: str | None = None  # namespace of the Helm release
    crds: list[str] = field(default_factory=list)

    @property
    def place(self) -> tuple[str, str | None]:
        """Which cluster this is about: contexts of one kubeconfig are different clusters."""
        return self.kubeconfig, self.context


def state_folder() -> Path:
    """`$XDG_STATE_HOME/labelplane/demo`, or below `~/.local/state`."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "labelplane/demo"


def record_path() -> Path:
    return state_folder() / "made.json"


def recorded() -> list[Made]:
    """Everything that the demo made and that has not been removed, oldest first."""
    return [Made(**entry) for entry in json.loads(record_path().read_text())] if record_path().exists() else []


def recorded_at(where: str, kubeconfig: Path, context: str | None = None) -> Made:
    """The entry of this cluster, or a new one: a second run adds to the record of the first."""
    new = Made(where, str(kubeconfig), context)
    return next((made for made in recorded() if made.place == new.place), new)


def write_down(made: Made) -> None:
    """Keep the entry; it takes the place of an earlier one of the same cluster."""
    _keep([*(one for one in recorded() if one.place != made.place), made])


def forget(made: Made) -> None:
    """What it names is gone."""
    _keep([one for one in recorded() if one.place != made.place])


def _keep(entries: list[Made]) -> None:
    """All at once: a record cut short would leave a cluster that nobody removes."""
    state_folder().mkdir(parents=True, exist_ok=True)
    partial = record_path().with_suffix(".partial")
    partial.write_text(json.dumps([asdict(one) for one in entries], indent=2))
    partial.replace(record_path())
