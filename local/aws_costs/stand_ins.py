"""Stand-ins for parameters that the template does not have yet, by those that it has."""

from __future__ import annotations

from collections.abc import Mapping

from local.aws_costs.stack import Document

STAND_INS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "Profile": {
        "trial": {},
        "production": {
            "DatabaseMultiAz": "true",
            "BrokerInstanceType": "mq.m7g.large",
            "BrokerDeploymentMode": "CLUSTER_MULTI_AZ",
        },
    },
    "Queue": {"rabbitmq": {}, "sqs": {"BrokerArn": "none"}},
}
"""By parameter and value, the parameters that come closest."""


def replaced(
    template: Document, given: Mapping[str, str]
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the parameters for the template, and those that it does not know.

    Args:
        template: whose own parameters are left as they are.
        given: what was asked for.
    """
    missing = {
        name: value
        for name, value in given.items()
        if name in STAND_INS and name not in template["Parameters"] and value in STAND_INS[name]
    }
    known = {name: value for name, value in given.items() if name not in missing}
    for name, value in missing.items():
        known = {**STAND_INS[name][value], **known}
    return known, missing
