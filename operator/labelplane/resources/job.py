"""The Job of an intent: one pod, or one for each index, without privilege or credentials, retried only when a retry can help."""

from collections.abc import Mapping, Sequence
from typing import Any

from labeljob.contract.reasons import ExitCode
from labelplane.api.groups import CONFIG_DIGEST_ANNOTATION
from labelplane.api.runtime import Runtime
from labelplane.plan.actions import JobIntent
from labelplane.plan.observed import Claim
from labelplane.resources.claims import annotation_of, at_once, together
from labelplane.resources.config_map import child_metadata, config_digest
from labelplane.resources.mounts import CONFIG_FILE, CONFIG_FOLDER, mount_manifest, mounted_secrets, mounted_volumes, secret_mount, secret_volume, volume_manifest
from labelplane.settings import Settings

USER = 65532
RETRIES = 3
CONTAINER = "job"
FINAL_EXIT_CODES = [int(ExitCode.BAD_SPEC), int(ExitCode.BAD_DATA), int(ExitCode.NO_ROOM)]


def job_manifest(intent: JobIntent, resource: Mapping[str, Any], settings: Settings, claims: Sequence[Claim] = ()) -> dict[str, Any]:
    """The batch/v1 Job of an intent. Its pods share no more than their `claims` allow, as far as that is known."""
    metadata = child_metadata(intent, resource)
    labels = metadata["labels"]
    metadata["annotations"] = {CONFIG_DIGEST_ANNOTATION: config_digest(intent)} | annotation_of(claims)
    pod = _pod(intent, settings)
    if intent.completions is not None and (affinity := together(intent.name, claims)) is not None:
        pod["affinity"] = affinity
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": _without_none(
            {
                **(_one_pod() if intent.completions is None else _indexed(intent.completions, at_once(intent.parallelism, claims))),
                "activeDeadlineSeconds": intent.deadline_seconds,
                "podReplacementPolicy": "Failed",
                "podFailurePolicy": {"rules": _failure_rules()},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            }
        ),
    }


def _one_pod() -> dict[str, Any]:
    return {"backoffLimit": RETRIES}


def _indexed(completions: int, parallelism: int) -> dict[str, Any]:
    """Each index has its own retries. A run needs all of them, so the first that is given up ends the Job, and no pod works for nothing."""
    return {
        "completionMode": "Indexed",
        "completions": completions,
        "parallelism": parallelism,
        "backoffLimitPerIndex": RETRIES,
        "maxFailedIndexes": 0,
    }


def _failure_rules() -> list[dict[str, Any]]:
    """An eviction does not count; a failure that a retry cannot mend ends the Job; anything else is tried again."""
    return [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": FINAL_EXIT_CODES}},
    ]


def _pod(intent: JobIntent, settings: Settings) -> dict[str, Any]:
    runtime, volumes = intent.runtime, mounted_volumes(intent)
    config = {"name": "config", "configMap": {"name": intent.name, "items": [{"key": CONFIG_FILE, "path": CONFIG_FILE}]}}
    secrets = [secret_volume(index, secret) for index, secret in enumerate(mounted_secrets(intent))]
    group = USER if runtime.fs_group is None else runtime.fs_group
    identity = {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": group, "seccompProfile": {"type": "RuntimeDefault"}}
    return _without_none(
        {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "serviceAccountName": runtime.service_account_name,
            "priorityClassName": runtime.priority_class_name,
            "nodeSelector": runtime.node_selector,
            "tolerations": [toleration.wire() for toleration in runtime.tolerations] if runtime.tolerations else None,
            "imagePullSecrets": [secret.wire() for secret in runtime.image_pull_secrets] if runtime.image_pull_secrets else None,
            "securityContext": identity,
            "containers": [_container(intent, runtime, settings)],
            "volumes": [config, {"name": "tmp", "emptyDir": {}}, *(volume_manifest(volume) for volume in volumes), *secrets],
        }
    )


def _container(intent: JobIntent, runtime: Runtime, settings: Settings) -> dict[str, Any]:
    mounts = [{"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True}, {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 a pod's own emptyDir
    secrets = [secret_mount(index, secret) for index, secret in enumerate(mounted_secrets(intent))]
    return _without_none(
        {
            "name": CONTAINER,
            "image": runtime.image or settings.job_image,
            "imagePullPolicy": runtime.image_pull_policy or settings.image_pull_policy,
            "args": ["--config", f"{CONFIG_FOLDER}/{CONFIG_FILE}", "--config-sha256", config_digest(intent)],
            "env": [variable.wire() for variable in runtime.env] if runtime.env else None,
            "resources": runtime.resources.wire() if runtime.resources else None,
            "terminationMessagePolicy": "File",
            "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [*mounts, *(mount_manifest(volume) for volume in mounted_volumes(intent)), *secrets],
        }
    )


def _without_none(manifest: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in manifest.items() if value is not None}
