"""`make deploy` up to its first call of AWS: what it asks, and what it proposes as answers."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.helpers.paths import ROOT

STACK_AND_REGION = 2
SAVED = {
    "SourceBucketName": "client-bucket",
    "AlarmEmail": "ops@example.org",
    "QueueConsumption": "false",
    "SubnetIds": "subnet-1,subnet-2",
    "Architecture": "arm64",
}


def asked(config: Path, architecture: str, parameters: int) -> dict[str, str]:
    """Return what the questions for parameters propose."""
    ended = subprocess.run(
        [
            "make",
            "deploy",
            # The packages are there already.
            "--assume-old=package",
            f"PACKAGES={os.environ['AWS_PACKAGES']}",
            f"AWS_TOOLS={os.environ['AWS_TOOLS']}",
            f"ARCHITECTURE={architecture}",
            f"SAM_CONFIG={config}",
        ],
        cwd=ROOT,
        # Every answer is the proposed one; the input ends before anything is deployed.
        input="\n" * (parameters + STACK_AND_REGION),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true"},
        timeout=120,
    )
    assert ended.returncode != 0
    assert "Confirm changes before deploy" in ended.stdout, ended.stdout + ended.stderr
    return dict(re.findall(r"Parameter (\w+) \[([^\]]*)\]", ended.stdout))


def test_a_first_deployment_proposes_the_templates_defaults(
    tmp_path: Path, transformed: dict[str, Any]
) -> None:
    config = tmp_path / "samconfig.toml"
    config.write_text((ROOT / "samconfig.toml").read_text())
    proposed = asked(config, "x86_64", len(transformed["Parameters"]))
    assert proposed["Architecture"] == "x86_64"
    assert proposed["SourceBucketName"] == ""
    assert proposed["QueueType"] == "quorum"


def test_a_later_one_proposes_the_answers_of_before_but_for_the_processor(
    tmp_path: Path, transformed: dict[str, Any]
) -> None:
    answers = " ".join(f'{name}=\\"{value}\\"' for name, value in SAVED.items())
    config = tmp_path / "samconfig.toml"
    # As `sam deploy --guided` saves it, below the parameters of deploy, which come last.
    config.write_text(
        (ROOT / "samconfig.toml").read_text() + f'parameter_overrides = "{answers}"\n'
    )
    proposed = asked(config, "x86_64", len(transformed["Parameters"]))
    assert proposed.items() >= (SAVED | {"Architecture": "x86_64"}).items()
    assert proposed["QueueType"] == "quorum"
