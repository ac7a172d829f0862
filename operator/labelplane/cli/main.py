"""The commands. Exit codes: 0 all well, 1 something is Stalled or refused, 2 the call itself is wrong."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console

from labelplane.api.crd import crd_manifests
from labelplane.cli.explanation import show_explanation
from labelplane.cli.manifests import Loaded, ManifestError, load
from labelplane.cli.reading import explain as explain_row
from labelplane.cli.reading import report as write_report
from labelplane.cli.run import run as run_manifests
from labelplane.cli.tables import conditions_table, quality_table
from labelplane.cli.validate import check, problems_in
from labelplane.cli.workspace import state_folder
from labelplane.cluster.local_store import LocalStore

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Weak supervision, versioned: the manifests of a cluster on your laptop.")
Directory = Annotated[Path, typer.Argument(help="Folder of manifests, or one file.")]
Paths = Annotated[list[str], typer.Argument(help="Files or folders; - for stdin.")]
State = Annotated[Path | None, typer.Option(help="State folder (default: .labelplane beside the manifests).")]
Volumes = Annotated[list[str], typer.Option("--volume", help="claim=FOLDER: where pvc://claim is. May be repeated.")]
Row = Annotated[str, typer.Argument(metavar="ID", help="Id of the row.")]
JobName = Annotated[str | None, typer.Option("--job", help="Name of the LabelJob, where there are several.")]
ReportFile = Annotated[Path | None, typer.Option("--file", "-f", help="The page to write (default: reports/NAME.html in the state folder).")]
Output = Annotated[str, typer.Option("--output", "-o", help="table or json.")]


@app.command()
def run(directory: Directory, state: State = None, volume: Volumes = [], output: Output = "table") -> None:  # noqa: B006 typer's way
    """Run the manifests with no cluster: check, fit, label; again only what has changed."""
    raise typer.Exit(run_manifests(directory, state, volume, as_json=_is_json(output)))


@app.command()
def validate(paths: Paths, output: Output = "table") -> None:
    """Say offline what the API server and the check Job would say."""
    loaded = load(paths)
    found = {_title(manifest): problems_in(manifest, loaded) for manifest in loaded.resources}
    _print_problems(found, loaded, as_json=_is_json(output))
    raise typer.Exit(1 if any(found.values()) or not loaded.resources else 0)


@app.command(name="test")
def run_tests(paths: Paths, output: Output = "table") -> None:
    """Run the tests that stand beside the labeling functions."""
    loaded = load(paths)
    sets = [manifest for manifest in loaded.resources if manifest["kind"] == "LabelingFunctionSet"]
    found = {_title(manifest): problems_in(manifest, loaded) or check(manifest, loaded) for manifest in sets}
    _print_problems(found, loaded, as_json=_is_json(output))
    raise typer.Exit(1 if any(found.values()) or not sets else 0)


@app.command()
def status(directory: Directory, state: State = None, output: Output = "table") -> None:
    """Show what the last `labelplane run` left."""
    root = state_folder(directory, state)
    if not root.exists():
        raise ManifestError(f"{root}: nothing has been run here: labelplane run {directory}")
    found = list(LocalStore(root).all())
    if _is_json(output):
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": found}, indent=2))
        return
    console = Console()
    for table in (conditions_table(found), quality_table(found)):
        if table is not None:
            console.print(table)


@app.command()
def explain(row: Row, directory: Directory = Path(), state: State = None, job: JobName = None, output: Output = "table") -> None:
    """Show why a row has its label: every vote, its weight, and the posterior."""
    found = explain_row(state_folder(directory, state), job, row)
    if _is_json(output):
        print(json.dumps(found, indent=2))
    else:
        show_explanation(found, Console())


@app.command()
def report(directory: Directory = Path(), state: State = None, job: JobName = None, file: ReportFile = None) -> None:
    """Write one self-contained HTML page about the last run of each LabelJob."""
    for page in write_report(state_folder(directory, state), job, file):
        print(page)


@app.command()
def crds() -> None:
    """Print the CustomResourceDefinitions."""
    print(yaml.safe_dump_all(crd_manifests(), sort_keys=False, width=140), end="")


def _title(manifest: dict[str, object]) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['kind']}/{metadata['name'] if isinstance(metadata, dict) else ''}"


def _print_problems(found: dict[str, list[str]], loaded: Loaded, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([{"resource": name, "problems": problems} for name, problems in found.items()], indent=2))
        return
    for note in loaded.ignored:
        print(f"note: {note}", file=sys.stderr)
    if not found:
        print("no resource of labelplane.dev was found", file=sys.stderr)
    for name, problems in found.items():
        print(f"{name}: ok" if not problems else "\n".join(f"{name}: {problem}" for problem in problems))


def _is_json(output: str) -> bool:
    if output not in ("table", "json"):
        raise ManifestError(f"--output {output}: use table or json")
    return output == "json"


def main() -> None:
    """Entry point: an error of the user's ends with one line and exit code 2."""
    try:
        app()
    except ManifestError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
