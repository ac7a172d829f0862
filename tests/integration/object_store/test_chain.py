"""P1, F5, X16: three manifests whose data, tables, artifacts and labels are all in an object store give the labels they give on a volume."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from deltalake import write_deltalake

from tests.e2e import rollouts
from tests.integration.object_store.builders import Lake
from tests.object_store import ObjectStoreServer, write_secret
from tests.unit.cli.test_run import command

pytestmark = pytest.mark.objectstore
ROWS = 300
TABLE = "message,verdict\nStarted container,normal\n"


def manifests(root: str, **more: Any) -> tuple[dict[str, Any], ...]:
    """The three, with a lookup table and gold, below this URI; `more` stands beside each URI."""
    functions, model, job = rollouts.three("default")
    table = {"uri": f"{root}/table.csv", "format": "csv"} | more
    functions["spec"]["functions"].append({"name": "table", "lookup": {"column": "message", "table": table, "keyColumn": "message", "labelColumn": "verdict"}})
    data, gold = {"uri": f"{root}/events", "format": "delta"} | more, {"uri": f"{root}/gold.parquet", "format": "parquet", "labelColumn": "gold"} | more
    model["spec"] |= {"trainingData": data, "goldData": gold, "artifacts": {"uri": f"{root}/models/rollouts"} | more}
    job["spec"] |= {"input": data, "goldData": gold, "output": {"uri": f"{root}/labels", "format": "delta"} | more}
    return functions, model, job


def write_data(lake: Lake, folder: Path) -> None:
    """The same data below the folder and in the bucket."""
    events = rollouts.events(ROWS)
    rows = events.drop_columns(["gold"])
    write_deltalake(str(folder / "events"), rows)
    lake.write_table("lake/events", rows)
    gold = events.select(["event_id", "gold"]).slice(0, 100)
    pq.write_table(gold, folder / "gold.parquet")
    lake.put("lake/gold.parquet", (folder / "gold.parquet").read_bytes())
    (folder / "table.csv").write_text(TABLE)
    lake.put("lake/table.csv", TABLE.encode())


def run(folder: Path, given: tuple[dict[str, Any], ...], *options: str) -> dict[str, Any]:
    """The LabelJob's status after a run that ended well."""
    folder.mkdir()
    for manifest in given:
        (folder / f"{manifest['kind'].lower()}.yaml").write_text(yaml.safe_dump(manifest))
    return again(folder, *options)


def again(folder: Path, *options: str) -> dict[str, Any]:
    done = command("run", str(folder), *options, "-o", "json")
    assert done.returncode == 0, done.stderr
    found = next(item["status"] for item in json.loads(done.stdout)["items"] if item["kind"] == "LabelJob")
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def ran(object_store: ObjectStoreServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Path, dict[str, Any], dict[str, Any]]:
    """(bucket, folder of the run in it, its status, the status of a run on a volume)."""
    root = tmp_path_factory.mktemp("chain")
    (root / "secrets").mkdir()
    (root / "volume").mkdir()
    lake = Lake(object_store, root / "secrets")
    write_data(lake, root / "volume")
    on_volume = run(root / "local", manifests("pvc://lake"), "--volume", f"lake={root}/volume", "--no-report")
    keys = write_secret(root / "keys", object_store.keys())
    in_store = run(root / "objects", manifests(lake.uri("lake"), secretRef={"name": "lake-keys"}), "--secret", f"lake-keys={keys}")
    return lake, root / "objects", in_store, on_volume


def test_the_labels_are_those_of_a_run_on_a_volume(ran: tuple[Lake, Path, dict[str, Any], dict[str, Any]]) -> None:
    lake, _, in_store, on_volume = ran
    assert in_store["run"]["output"]["contentDigest"] == on_volume["run"]["output"]["contentDigest"]
    assert in_store["metrics"]["precision"] == on_volume["metrics"]["precision"]
    rollouts.exactly_once(lake.table("lake/labels"), ROWS)
    assert in_store["run"]["input"]["uri"] == lake.uri("lake/events")
    assert any(name.endswith("/model.json") for name in lake.names("lake/models/rollouts"))


def test_a_second_run_runs_nothing_and_another_reads_what_is_there(ran: tuple[Lake, Path, dict[str, Any], dict[str, Any]]) -> None:
    """A page is drawn, and a row explained, from the bucket; new rows make one more version."""
    lake, folder, first, _ = ran
    keys = f"lake-keys={folder.parent}/keys"
    assert again(folder, "--secret", keys)["run"] == first["run"]
    assert (folder / ".labelplane/reports/rollouts.html").stat().st_size > 10_000
    row = lake.table("lake/labels").to_pyarrow_table().column("event_id")[0].as_py()
    explained = command("explain", row, str(folder), "-o", "json")
    assert explained.returncode == 0, explained.stderr


def test_a_training_set_of_the_bucket_goes_into_the_bucket(ran: tuple[Lake, Path, dict[str, Any], dict[str, Any]]) -> None:
    """I2: as a file and as a table, in the place of an earlier one and of nothing else."""
    lake, folder, *_ = ran
    expected = [row["event_id"] for row in lake.table("lake/labels").to_pyarrow_table().to_pylist() if row["covered"]]
    for _ in range(2):
        for name, form in (("train.parquet", "parquet"), ("train", "delta")):
            said = command("features", lake.uri(f"sets/{name}"), str(folder), "--format", form, "--target-secret", "lake-keys")
            assert said.returncode == 0, said.stderr
            assert f"{len(expected)} rows, " in said.stdout
    (folder / "train.parquet").write_bytes(lake.place("sets/train.parquet").read_bytes())
    assert pq.read_table(folder / "train.parquet")["event_id"].to_pylist() == sorted(expected)
    assert sorted(lake.table("sets/train").to_pyarrow_table()["event_id"].to_pylist()) == sorted(expected)
    assert lake.table("sets/train").version() == 1
    refused = command("features", lake.uri("lake/gold.parquet"), str(folder), "--target-secret", "lake-keys")
    assert (refused.returncode, "a file that is no training set is there" in refused.stderr) == (2, True)


def test_no_key_is_anywhere(ran: tuple[Lake, Path, dict[str, Any], dict[str, Any]]) -> None:
    """State, configurations, results, logs, the page; and in the bucket the log of the table and the model's files."""
    lake, folder, _, _ = ran
    places = [*folder.rglob("*"), *(lake.server.folder / lake.bucket).rglob("*")]
    files = [path for path in places if path.is_file()]
    assert len(files) > 20
    shown = [path for path in files if lake.server.secret.encode() in path.read_bytes() or lake.server.key.encode() in path.read_bytes()]
    assert shown == []


def test_a_secret_that_is_not_there_stalls_in_words(tmp_path: Path, lake: Lake) -> None:
    functions, *_ = manifests(lake.uri("lake"), secretRef={"name": "lake-keys"})
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "set.yaml").write_text(yaml.safe_dump(functions))
    done = command("run", str(folder), "-o", "json")
    assert done.returncode == 1
    ready = json.loads(done.stdout)["items"][0]["status"]["conditions"][0]
    assert ready["reason"] == "SecretInvalid"
    assert "spec.functions[6].lookup.table.secretRef: Secret lake-keys is not there" in ready["message"]
    assert "--secret lake-keys=FOLDER" in ready["message"]
    wrong = command("run", str(folder), "--secret", "lake-keys")
    assert (wrong.returncode, "write it as name=FOLDER" in wrong.stderr) == (2, True)
