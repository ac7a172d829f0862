"""G6, F5: a Secret is named, mounted read-only by the pod that needs it, and its content is nowhere in what the operator makes."""

import json
from typing import Any

import pytest

from labeljob.contract.config import Access
from labelplane.plan.actions import JobIntent
from labelplane.resources.config_map import config_map_manifest
from labelplane.resources.job import job_manifest
from tests.manifests import changed, function_set, label_job, label_model
from tests.unit.operator.pipeline import SETTINGS, World, settle


def opened(uri: str, secret: str | None, **more: Any) -> dict[str, Any]:
    return {"uri": uri} | ({"secretRef": {"name": secret}} if secret else {}) | more


def manifests() -> tuple[dict[str, Any], ...]:
    """Data of one Secret, artifacts of another, output without one, gold on a claim."""
    table = opened("s3://lake/images.csv", "reader", format="csv")
    data = opened("s3://lake/events", "reader", format="delta")
    gold = {"uri": "pvc://lake/gold.csv", "format": "csv", "labelColumn": "gold"}
    model = changed(changed(label_model(), "spec.trainingData", data), "spec.goldData", gold)
    return (
        changed(function_set(), "spec.functions[4].lookup.table", table),
        changed(model, "spec.artifacts", opened("s3://models/rollout-risk", "writer")),
        changed(changed(changed(label_job(), "spec.input", data), "spec.output", opened("s3://labels/rollouts", None, format="delta")), "spec.goldData", gold),
    )


@pytest.fixture
async def intents() -> dict[str, JobIntent]:
    """Kind of the owner and step -> what was to run."""
    world = World()
    world.apply(*manifests())
    await settle(world)
    made = [entry[1].intent for entry in world.jobs.values()]
    return {f"{one.config.owner.kind}/{one.config.step}": one for one in made}


def job_of(intent: JobIntent) -> dict[str, Any]:
    owner = next(one for one in manifests() if one["kind"] == intent.config.owner.kind)
    return job_manifest(intent, changed(owner, "metadata.uid", "u"), SETTINGS)


def secrets_of(job: dict[str, Any]) -> dict[str, str]:
    """Secret -> path, of the volumes that the container mounts read-only."""
    pod = job["spec"]["template"]["spec"]
    paths = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"] if mount.get("readOnly")}
    return {volume["secret"]["secretName"]: paths[volume["name"]] for volume in pod["volumes"] if "secret" in volume}


READER, WRITER = {"reader": "/mnt/secret/reader"}, {"writer": "/mnt/secret/writer"}
MOUNTED = {
    "LabelingFunctionSet/check": READER,
    "LabelModel/resolve": READER | WRITER,
    "LabelModel/fit": READER | WRITER,
    "LabelJob/resolve": READER | WRITER,
    "LabelJob/label": READER | WRITER,
}


async def test_each_pod_mounts_the_secrets_of_its_uris(intents: dict[str, JobIntent]) -> None:
    """And no volume stands for a bucket."""
    assert {name: secrets_of(job_of(intent)) for name, intent in intents.items()} == MOUNTED
    volumes = [volume for intent in intents.values() for volume in job_of(intent)["spec"]["template"]["spec"]["volumes"]]
    assert all(set(volume) - {"name"} in ({"secret"}, {"configMap"}, {"emptyDir"}, {"persistentVolumeClaim"}) for volume in volumes)
    assert {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume} == {"lake"}


async def test_a_secret_is_never_environment_nor_asked_of_the_kubelet_as_text(intents: dict[str, JobIntent]) -> None:
    """A file that the pod's group may read; a Secret that is missing is the job's to say, in words."""
    for intent in intents.values():
        job = job_of(intent)
        container = job["spec"]["template"]["spec"]["containers"][0]
        assert "env" not in container
        assert "envFrom" not in container
        assert "secretKeyRef" not in json.dumps(job)
        volumes = [volume["secret"] for volume in job["spec"]["template"]["spec"]["volumes"] if "secret" in volume]
        assert all(volume["optional"] and volume["defaultMode"] == 0o440 for volume in volumes)
        assert all({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} < {item["key"] for item in volume["items"]} for volume in volumes)


async def test_the_configuration_names_field_and_secret_and_no_more(intents: dict[str, JobIntent]) -> None:
    intent = intents["LabelJob/label"]
    config = json.loads(config_map_manifest(intent, changed(label_job(), "metadata.uid", "u"))["data"]["config.json"])
    assert config["access"] == [
        {"uri": "s3://labels/rollouts", "field": "spec.output"},
        {"uri": "s3://lake/events", "field": "spec.input", "secret": "reader"},
        {"uri": "s3://models/rollout-risk", "field": "LabelModel rollout-risk spec.artifacts", "secret": "writer"},
    ]
    assert {"prefix": "secret://reader", "path": "/mnt/secret/reader"} in config["mounts"]
    assert intents["LabelingFunctionSet/check"].config.access == (Access(uri="s3://lake/images.csv", field="spec.functions[4].lookup.table", secret="reader"),)


async def test_another_secret_relabels_nothing() -> None:
    """X16: how data is reached is no part of what it is; pins, digests and the functions' identity stay."""
    world = World()
    functions, model, job = manifests()
    world.apply(functions, model, job)
    await settle(world)
    digest = world.get("LabelingFunctionSet")["status"]["digest"]
    renamed = {"name": "rotated"}
    world.apply(
        changed(functions, "spec.functions[4].lookup.table.secretRef", renamed),
        changed(changed(model, "spec.trainingData.secretRef", renamed), "spec.artifacts.secretRef", renamed),
        changed(job, "spec.input.secretRef", renamed),
    )
    await settle(world)
    assert (len(world.index), len(world.commits)) == (1, 1)
    assert world.get("LabelingFunctionSet")["status"]["digest"] == digest
    assert world.get("LabelJob")["status"]["run"]["sequence"] == 1


async def test_a_model_that_votes_in_another_brings_its_secret() -> None:
    world = World()
    functions, model, job = manifests()
    other = changed(changed(model, "metadata.name", "other"), "spec.artifacts", opened("s3://models/other", "others"))
    world.apply(functions, other, changed(model, "spec.inputs", [{"name": "other"}]), job)
    await settle(world)
    fits = [entry[1].intent for entry in world.jobs.values() if entry[2].step == "fit" and entry[1].intent.config.owner.name == "rollout-risk"]
    assert "others" in secrets_of(job_of(fits[0]))
    labels = next(entry[1].intent for entry in world.jobs.values() if entry[2].step == "label")
    assert "others" in secrets_of(job_of(labels))


async def test_a_secret_that_also_holds_the_key_of_hashes_is_mounted_once() -> None:
    """Two volumes at one path would be refused by the API server."""
    functions, model, job = manifests()
    hashed = {"name": "user_email", "type": "string", "sensitive": "hash"}
    columns = [hashed if column["name"] == "user_email" else column for column in functions["spec"]["schema"]["columns"]]
    schema = functions["spec"]["schema"] | {"columns": columns, "hashKeyRef": {"name": "reader", "key": "hash-key"}}
    world = World()
    world.apply(changed(functions, "spec.schema", schema), model, job)
    await settle(world)
    check = next(entry[1].intent for entry in world.jobs.values() if entry[2].step == "check")
    assert secrets_of(job_of(check)) == READER
    volume = next(volume for volume in job_of(check)["spec"]["template"]["spec"]["volumes"] if "secret" in volume)
    assert {"hash-key", "AWS_SECRET_ACCESS_KEY"} < {item["key"] for item in volume["secret"]["items"]}
