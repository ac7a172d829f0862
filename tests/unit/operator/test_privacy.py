"""Sensitive data in the operator: which pods see the key and how, what a rotated key does, and what is said of columns that look personal (F5)."""

import json
from typing import Any

import pytest

from labeljob.contract.privacy import PrivacyFinding
from labelplane.plan.actions import JobIntent
from labelplane.resources.config_map import config_map_manifest
from labelplane.resources.job import job_manifest
from tests.manifests import changed, function_set, label_job, label_model
from tests.unit.operator.pipeline import SETTINGS, World, condition, settle

MAILS = PrivacyFinding(column="sender", pattern="email", how="is", share=0.98, sampled=2796)
BODIES = PrivacyFinding(column="body", pattern="email", how="holds", share=0.458, sampled=2789)


def hashing() -> dict[str, Any]:
    """The good set, with a hashed column and its key."""
    columns = [*function_set()["spec"]["schema"]["columns"], {"name": "owner", "type": "string", "sensitive": "hash"}]
    return changed(changed(function_set(), "spec.schema.columns", columns), "spec.schema.hashKeyRef", {"name": "hashing", "key": "current"})


@pytest.fixture
async def world() -> World:
    made = World()
    made.apply(hashing(), label_model(), label_job())
    await settle(made)
    return made


def intents(world: World) -> dict[str, JobIntent]:
    """By what they do; of a LabelJob's resolve, too."""
    made = (action.intent for _, action, _ in world.jobs.values())
    return {f"{one.config.owner.kind}/{one.config.step}": one for one in made}


async def test_the_key_goes_to_the_pods_that_hash(world: World) -> None:
    """F5: one key of one Secret, as a file for the pod's group, read-only; never as a variable, and in no other pod."""
    found = intents(world)
    assert {name for name, intent in found.items() if intent.secrets} == {"LabelingFunctionSet/check", "LabelModel/resolve", "LabelModel/fit", "LabelJob/label"}
    for intent in found.values():
        manifest = job_manifest(intent, world.get(intent.config.owner.kind), SETTINGS)
        pod = manifest["spec"]["template"]["spec"]
        secrets = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
        wanted = {"secretName": "hashing", "items": [{"key": "current", "path": "current"}], "defaultMode": 0o440, "optional": True}
        assert secrets == ([wanted] if intent.secrets else [])
        mounts = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"].startswith("secret-")]
        assert mounts == ([{"name": "secret-0", "mountPath": "/mnt/secret/hashing", "readOnly": True}] if intent.secrets else [])
        assert "env" not in pod["containers"][0]
        config = json.loads(config_map_manifest(intent, world.get(intent.config.owner.kind))["data"]["config.json"])
        assert ({"prefix": "secret://hashing", "path": "/mnt/secret/hashing"} in config["mounts"]) == bool(intent.secrets)


async def test_the_key_is_pinned_by_its_id(world: World) -> None:
    """F5: in the pins of fit and run, so that a job with another key stops."""
    pin = {"name": "hashing", "key": "current", "id": "k1"}
    assert world.get("LabelModel")["status"]["pins"]["hashKey"] == pin
    assert world.get("LabelJob")["status"]["pins"]["hashKey"] == pin
    fit = intents(world)["LabelModel/fit"].config.fit
    assert fit is not None
    assert fit.hash_key is not None
    assert fit.hash_key.id == "k1"


async def test_a_rotated_key_is_used_when_it_is_asked_for(world: World) -> None:
    """F5: the operator cannot see a Secret; a check that was asked for finds the other key, and then all is fitted and labelled anew."""
    world.key_id = "k2"
    await settle(world)
    assert (len(world.index), len(world.commits)) == (1, 1)
    world.annotate("LabelingFunctionSet", reconcile_at="2")
    await settle(world)
    assert (len(world.index), len(world.commits)) == (2, 2)
    assert world.get("LabelJob")["status"]["pins"]["hashKey"]["id"] == "k2"


async def test_a_set_that_hashes_nothing_mounts_no_secret() -> None:
    world = World()
    world.apply(changed(function_set(), "spec.schema.hashKeyRef", {"name": "hashing", "key": "current"}), label_model(), label_job())
    await settle(world)
    assert not any(intent.secrets for intent in intents(world).values())


async def test_columns_that_look_personal_are_named() -> None:
    """F5: a condition and an Event with column, pattern and share on model and job, which stop nothing and go when it is mended."""
    world = World(privacy=[MAILS, BODIES])
    world.apply(function_set(), label_model(), label_job())
    await settle(world)
    for kind in ("LabelModel", "LabelJob"):
        assert condition(world.get(kind))["status"] == "True"
        message = condition(world.get(kind), "PrivacySuspected")["message"]
        assert message.startswith("column sender: 98.0% of 2796 sampled values match the pattern email; column body: 45.8% of 2789 sampled values hold the pattern email; declare")
        assert [event.type for of, event in world.events if of == kind and event.reason == "PrivacySuspected"] == ["Warning"]
    assert [one["column"] for one in world.get("LabelModel")["status"]["current"]["privacy"]] == ["sender", "body"]
    world.privacy = []
    columns = [*function_set()["spec"]["schema"]["columns"], {"name": "sender", "type": "string", "sensitive": "none"}]
    world.apply(changed(function_set(), "spec.schema.columns", columns))
    await settle(world)
    conditions = [one["type"] for kind in ("LabelModel", "LabelJob") for one in world.get(kind)["status"]["conditions"]]
    assert "PrivacySuspected" not in conditions
