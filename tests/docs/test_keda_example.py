"""docs/examples/keda.yaml fits the trigger, its settings, and what KEDA and Kubernetes take.

The schemas here are short ones of our own, of the fields that the example uses. A misspelt or
misplaced field fails, as it does with `kubectl apply --validate=strict`.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.main import get_command

from local.cli import app
from local.setting_names import OURS
from local.template import load
from local.trigger import PREFETCH_BATCHES
from local.watchdog import GRACE_SECONDS
from shared.config.settings import Settings
from shared.queue.rabbitmq.topology import QUEUE
from tests.docs.examples import EXAMPLES, manifests

FILE = EXAMPLES / "keda.yaml"
OBJECTS = manifests(FILE)
DEPLOYMENT = OBJECTS["Deployment"]["spec"]
POD = DEPLOYMENT["template"]["spec"]
SCALED = OBJECTS["ScaledObject"]["spec"]
[CONTAINER] = POD["containers"]
[TRIGGER] = SCALED["triggers"]
SECONDS = {"type": "integer", "minimum": 0, "maximum": 3600}
POSITIVE = {"type": "integer", "minimum": 1}
TEXT = {"type": "string", "minLength": 1}


def fields(*required: str, **optional: Any) -> dict[str, Any]:
    """Return the schema of a mapping of texts, but for what is given, with no other fields."""
    properties = dict.fromkeys(required, TEXT) | optional
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def rules(kinds: list[str]) -> dict[str, Any]:
    policy = fields("type", "value", "periodSeconds", type={"enum": kinds})
    policy["properties"] |= {
        "value": POSITIVE,
        "periodSeconds": {"type": "integer", "minimum": 1, "maximum": 1800},
    }
    policies = {"type": "array", "minItems": 1, "items": policy}
    return fields(stabilizationWindowSeconds=SECONDS, policies=policies)


SCALED_OBJECT = fields(
    "scaleTargetRef",
    "triggers",
    scaleTargetRef=fields("name"),
    minReplicaCount={"type": "integer", "minimum": 0},
    maxReplicaCount=POSITIVE,
    pollingInterval=POSITIVE,
    cooldownPeriod=SECONDS,
    fallback=fields("failureThreshold", "replicas", failureThreshold=POSITIVE, replicas=POSITIVE),
    advanced=fields(
        horizontalPodAutoscalerConfig=fields(
            behavior=fields(
                scaleUp=rules(["Pods", "Percent"]), scaleDown=rules(["Pods", "Percent"])
            )
        )
    ),
    triggers={
        "type": "array",
        "items": fields(
            "type",
            "metadata",
            type={"const": "rabbitmq"},
            # Values are texts, numbers too.
            metadata=fields(
                "queueName",
                "value",
                protocol={"enum": ["auto", "amqp", "http"]},
                mode={"enum": ["QueueLength", "MessageRate"]},
                vhostName=TEXT,
                activationValue=TEXT,
            ),
            authenticationRef=fields("name"),
        ),
    },
)
TRIGGER_AUTHENTICATION = fields(
    "secretTargetRef",
    secretTargetRef={"type": "array", "items": fields("parameter", "name", "key")},
)
SCHEMAS = {"ScaledObject": SCALED_OBJECT, "TriggerAuthentication": TRIGGER_AUTHENTICATION}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_keda_knows_every_field(kind: str) -> None:
    jsonschema.validate(OBJECTS[kind]["spec"], SCHEMAS[kind])
    assert OBJECTS[kind]["apiVersion"] == "keda.sh/v1alpha1"
    changes: list[dict[str, Any]] = [{"maxReplicas": 3}, {"spec": {}}]
    for change in changes:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(OBJECTS[kind]["spec"] | change, SCHEMAS[kind])


def test_keda_scales_the_trigger_by_its_queue() -> None:
    assert SCALED["scaleTargetRef"]["name"] == OBJECTS["Deployment"]["metadata"]["name"]
    assert TRIGGER["metadata"]["queueName"] == QUEUE
    assert (
        TRIGGER["authenticationRef"]["name"] == OBJECTS["TriggerAuthentication"]["metadata"]["name"]
    )
    assert 0 <= SCALED["minReplicaCount"] <= SCALED["fallback"]["replicas"]
    assert SCALED["fallback"]["replicas"] < SCALED["maxReplicaCount"]
    # What KEDA decides is not set back by applying the file again.
    assert "replicas" not in DEPLOYMENT


def test_a_trigger_more_is_wanted_for_what_none_has_in_hand() -> None:
    """Only the management API counts messages in hand, which a full trigger has a prefetch of."""
    prefetch = {v["name"]: v.get("value") for v in CONTAINER["env"]}["PREFETCH"]
    assert TRIGGER["metadata"]["protocol"] == "http"
    assert TRIGGER["metadata"]["value"] == prefetch
    assert int(prefetch) == PREFETCH_BATCHES * load().batch_size


def test_the_environment_is_settings_and_secrets_are_references() -> None:
    secrets = {
        f.metadata["name"] for f in Settings.__dataclass_fields__.values() if f.metadata["secret"]
    }
    for variable in CONTAINER["env"]:
        assert variable["name"] in OURS
        assert "valueFrom" in variable or variable["name"] not in secrets
    given = {v["name"]: v.get("value", "") for v in CONTAINER["env"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in CONTAINER["volumeMounts"]}
    assert set(mounts) == {given["STORAGE_PATH"], str(Path(given["DATA_DIR"]).parent)}
    assert {volume["name"] for volume in POD["volumes"]} == set(mounts.values())
    [claim] = [v["persistentVolumeClaim"] for v in POD["volumes"] if "persistentVolumeClaim" in v]
    assert claim["claimName"] == OBJECTS["PersistentVolumeClaim"]["metadata"]["name"]
    assert OBJECTS["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteMany"]


def test_a_pod_can_do_nothing_but_copy() -> None:
    assert POD["automountServiceAccountToken"] is False
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert DEPLOYMENT["selector"]["matchLabels"] == DEPLOYMENT["template"]["metadata"]["labels"]


def test_a_pod_has_the_time_that_a_trigger_takes_to_end() -> None:
    assert POD["terminationGracePeriodSeconds"] > GRACE_SECONDS


def commands() -> list[list[str]]:
    ecs = yaml.safe_load(
        (EXAMPLES / "ecs.yaml").read_text().partition("Command: ")[2].partition("\n")[0]
    )
    return [CONTAINER["command"], ecs]


@pytest.mark.parametrize("command", commands(), ids=["keda", "ecs"])
def test_the_command_is_one_of_ours(command: list[str]) -> None:
    program, name, *arguments = command
    assert program == "./sync"
    found: Any = get_command(app)
    found.commands[name].make_context(name, arguments)


def probes() -> list[str]:
    ecs = (EXAMPLES / "ecs.yaml").read_text().partition("- CMD-SHELL\n")[2].partition("\n")[0]
    return [CONTAINER["livenessProbe"]["exec"]["command"][-1], ecs.strip(" -")]


@pytest.mark.parametrize("probe", probes(), ids=["keda", "ecs"])
def test_a_probe_tells_a_pulse_from_a_standstill(probe: str, tmp_path: Path) -> None:
    def healthy() -> bool:
        line = probe.replace(CONTAINER["command"][-1], str(tmp_path / "pulses"))
        assert line != probe
        return subprocess.run(["sh", "-c", line], capture_output=True, check=False).returncode == 0

    assert not healthy()
    (tmp_path / "pulses").mkdir()
    assert not healthy()
    pulse = tmp_path / "pulses" / "trigger"
    pulse.touch()
    assert healthy()
    os.utime(pulse, (0, time.time() - 40))
    assert not healthy()


def test_starting_is_given_longer_than_a_standstill() -> None:
    start, live = CONTAINER["startupProbe"], CONTAINER["livenessProbe"]
    assert start["exec"] == live["exec"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 120
    assert live["periodSeconds"] * live["failureThreshold"] == 30
