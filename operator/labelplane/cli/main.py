"""The commands. Exit codes: 0 all well, 1 something is Stalled or refused, 2 the call itself is wrong."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console

from labelplane.api.crd import crd_manifests
from labelplane.api.groups import FUNCTION_SET, KINDS
from labelplane.api.parse import key_of
from labelplane.cli.difference import show_difference
from labelplane.cli.explanation import show_explanation
from labelplane.cli.manifests import ManifestError, load
from labelplane.cli.reading import explain as explain_row
from labelplane.cli.reading import report as write_report
from labelplane.cli.run import run as run_manifests
from labelplane.cli.tables import conditions_table, quality_table
from labelplane.cli.training_set import show_training_set, write_training_set
from labelplane.cli.validate import Verdict, verdict_on
from labelplane.cli.verdicts import show_verdicts
from labelplane.cli.versions import diff as diff_versions
from labelplane.cli.versions import rollback as restore_version
from labelplane.cli.workspace import claims, in_order, state_folder
from labelplane.cluster.local_starts import StartError
from labelplane.cluster.local_store import LocalStore

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Weak supervision, versioned: the manifests of a cluster on your laptop.")
Directory = Annotated[Path, typer.Argument(help="Folder of manifests, or one file.")]
Paths = Annotated[list[str], typer.Argument(help="Files or folders; - for stdin.")]
State = Annotated[Path | None, typer.Option(help="State folder (default: .labelplane beside the manifests).")]
Volumes = Annotated[list[str], typer.Option("--volume", help="claim=FOLDER: where pvc://claim is. May be repeated.")]
Secrets = Annotated[list[str], typer.Option("--secret", help="name=FOLDER: where the keys of Secret name are, a file each. May be repeated.")]
Row = Annotated[str, typer.Argument(metavar="ID", help="Id of the row.")]
JobName = Annotated[str | None, typer.Option("--job", help="Name of the LabelJob, where there are several.")]
ReportFile = Annotated[Path | None, typer.Option("--file", "-f", help="The page to write (default: reports/NAME.html in the state folder).")]
Before = Annotated[int, typer.Argument(metavar="V1", min=0, help="The version of the output table to compare with.")]
After = Annotated[int, typer.Argument(metavar="V2", min=0, help="The other one, mostly the later.")]
Restored = Annotated[int, typer.Argument(metavar="VERSION", min=0, help="The version of the output table to restore.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="The file (Parquet) or table (Delta) to write: a path, or a pvc://, s3:// or file: URI.")]
Wanted = Annotated[Path | None, typer.Option("--with", "-w", help="A YAML file that says which columns and feature tables to join.")]
OfVersion = Annotated[int | None, typer.Option("--version", min=0, help="The version of the output table (default: the newest).")]
Uncovered = Annotated[bool, typer.Option("--uncovered", help="Rows on which no function votes, too: their weight is 0.")]
TargetSecret = Annotated[str | None, typer.Option(help="The Secret that opens an s3:// TARGET (default: the environment).")]
Form = Annotated[str, typer.Option("--format", help="parquet or delta.")]
Output = Annotated[str, typer.Option("--output", "-o", help="table or json.")]
Drawn = Annotated[bool, typer.Option("--report/--no-report", help="Draw a report of what has been labelled, unless it is there.")]


@app.command()
def run(
    directory: Directory, state: State = None, volume: Volumes = [], secret: Secrets = [], output: Output = "table", report: Drawn = True  # noqa: B006 typer's way
) -> None:
    """Run the manifests with no cluster: check, fit, label; again only what has changed."""
    raise typer.Exit(run_manifests(directory, state, volume, secret, as_json=_is_json(output), draw=report))


@app.command()
def validate(paths: Paths, volume: Volumes = [], output: Output = "table") -> None:  # noqa: B006
    """Say offline what the API server and the check Job would say."""
    _judge(paths, volume, output, [kind.kind for kind in KINDS])


@app.command(name="test")
def run_tests(paths: Paths, volume: Volumes = [], output: Output = "table") -> None:  # noqa: B006
    """Run the tests that stand beside the labeling functions."""
    _judge(paths, volume, output, [FUNCTION_SET.kind])


@app.command()
def status(directory: Directory, state: State = None, output: Output = "table") -> None:
    """Show what the last `labelplane run` left."""
    root = state_folder(directory, state)
    if not root.exists():
        raise ManifestError(f"{root}: nothing has been run here: labelplane run {directory}")
    found = sorted(LocalStore(root).all(), key=lambda one: in_order(key_of(one)))
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
def report(directory: Directory = Path(), state: State = None, job: JobName = None, file: ReportFile = None, output: Output = "table") -> None:
    """Write one self-contained HTML page about the last run of each LabelJob, and print its path."""
    as_json = _is_json(output)
    pages = write_report(state_folder(directory, state), job, file)
    if as_json:
        print(json.dumps([{"labelJob": name, "page": str(page)} for name, page in pages.items()], indent=2))
    else:
        print("\n".join(str(page) for page in pages.values()))


@app.command()
def diff(before: Before, after: After, directory: Directory = Path(), state: State = None, job: JobName = None, output: Output = "table") -> None:
    """Show what changed between two versions of the labels: rows, labels by class, votes by function."""
    as_json = _is_json(output)
    found = diff_versions(state_folder(directory, state), job, before, after)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        show_difference(found, Console())


@app.command()
def rollback(version: Restored, directory: Directory = Path(), state: State = None, job: JobName = None, output: Output = "table") -> None:
    """Restore an earlier version of the labels as a new one; it stands until the next run."""
    as_json = _is_json(output)
    found = restore_version(state_folder(directory, state), job, version)
    text = f"{found['labelJob']}: version {found['restored']} is restored as version {found['version']} (run {found['run']}); it stands until the next run"
    print(json.dumps(found, indent=2) if as_json else text)


@app.command()
def features(
    target: Target, directory: Directory = Path(), state: State = None, job: JobName = None, wanted: Wanted = None, version: OfVersion = None,
    uncovered: Uncovered = False, form: Form = "parquet", target_secret: TargetSecret = None, volume: Volumes = [], secret: Secrets = [],  # noqa: B006
    output: Output = "table",
) -> None:  # fmt: skip
    """Write a training set: labels beside the columns and features of their rows, as they were known at the row's time."""
    as_json, root = _is_json(output), state_folder(directory, state)
    found = write_training_set(root, job, target, wanted, version=version, uncovered=uncovered, form=form, volumes=volume, secrets=secret, target_secret=target_secret)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        show_training_set(found, Console())


@app.command()
def crds(output: Annotated[str, typer.Option("--output", "-o", help="yaml or json.")] = "yaml") -> None:
    """Print the CustomResourceDefinitions."""
    if _is_json(output, other="yaml"):
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(crd_manifests())}, indent=2))
    else:
        print(yaml.safe_dump_all(crd_manifests(), sort_keys=False, width=140), end="")


def _judge(paths: list[str], volumes: list[str], output: str, kinds: list[str]) -> None:
    """Print the verdicts on the resources of these kinds; ends with exit code 1 when one is refused."""
    as_json, folders, loaded = _is_json(output), claims(volumes), load(paths)
    chosen = [manifest for manifest in loaded.resources if manifest["kind"] in kinds]
    if not chosen:
        raise ManifestError(f"{', '.join(paths)}: no {kinds[0]} was found: give the file or folder of one")
    found: dict[str, Verdict] = {}
    with Console(stderr=True).status("") as shown:
        for manifest in chosen:
            shown.update(f"checking {_title(manifest)}")
            found[_title(manifest)] = verdict_on(manifest, loaded, folders)
    show_verdicts(found, loaded.ignored, as_json=as_json)
    raise typer.Exit(1 if any(verdict.problems for verdict in found.values()) else 0)


def _title(manifest: dict[str, object]) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['kind']}/{metadata['name'] if isinstance(metadata, dict) else ''}"


def _is_json(output: str, other: str = "table") -> bool:
    if output not in (other, "json"):
        raise ManifestError(f"--output {output}: use {other} or json")
    return output == "json"


def main() -> None:
    """Entry point: an error of the user's, or of the machine, ends with one line and exit code 2."""
    try:
        app()
    except (ManifestError, StartError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # a file or folder of the user's that cannot be read or written
        print(f"error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
