"""Creates a transformed template's stack in moto. Run by the Python that has moto's extras."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import boto3
from moto import mock_aws
from moto.cloudformation.parsing import resource_class_from_type

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
"""moto knows neither Fn::Cidr, nor a broker's endpoints, nor an access point's ARN: these exist
already."""

UNKNOWN = {
    "${Database.Endpoint.Address}": "database.internal",
    "${Database.Endpoint.Port}": "5432",
    "${Database.DbiResourceId}": "db-ABCDEFGH",
}
"""Nor attributes of a database in Fn::Sub."""

PARAMETERS = {
    "SourceBucketName": "client-bucket",
    "CallbackUrl": "https://client.test/hook",
    "BrokerArn": "arn:aws:mq:eu-west-1:123456789012:broker:sync:b-1",
    "BrokerCredentialsSecretArn": f"{SECRET}broker-AbCdEf",
    "FileSystemId": "fs-0123456789abcdef0",
    "AccessPointArn": "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-1",
    "RabbitmqUrlSecretArn": f"{SECRET}rabbitmq-AbCdEf",
}


@mock_aws
def main() -> None:
    """Print what became of the stack whose template is named on the command line."""
    # moto says of each type that it does not know that it leaves it out.
    warnings.simplefilter("ignore")
    formation = boto3.client("cloudformation")
    subnets = boto3.client("ec2").describe_subnets()["Subnets"]
    parameters = PARAMETERS | {
        "VpcId": subnets[0]["VpcId"],
        "SubnetIds": ",".join(s["SubnetId"] for s in subnets[:2]),
    }
    boto3.client("s3").create_bucket(
        Bucket="packages", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    text = Path(sys.argv[1]).read_text()
    for unknown_attribute, value in UNKNOWN.items():
        text = text.replace(unknown_attribute, value)
    template = json.loads(text)
    # moto makes mappings of SQS queues and of streams only, and would invoke the function in Docker
    # for a custom resource.
    for name in ("SyncBrokerMapping", "Ledger"):
        del template["Resources"][name]
    for resource in template["Resources"].values():
        if resource.get("DependsOn") == "Ledger":
            del resource["DependsOn"]
    # Neither alarms nor dashboards either.
    del template["Resources"]["Alarms"], template["Outputs"]["NeedsAttentionAlarmArn"]
    empty_zip = b"PK\x05\x06" + bytes(18)
    for name in template["Resources"]:
        boto3.client("s3").put_object(Bucket="packages", Key=f"{name}.zip", Body=empty_zip)
    unknown = {
        name
        for name, resource in template["Resources"].items()
        if resource_class_from_type(resource["Type"]) is None
    }
    # It leaves out resources of a type that it does not know, but fails on outputs of theirs.
    for name, output in list(template["Outputs"].items()):
        if any(resource in json.dumps(output) for resource in unknown):
            del template["Outputs"][name]
    formation.create_stack(
        StackName="under-test",
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    )
    [stack] = formation.describe_stacks(StackName="under-test")["Stacks"]
    resources = formation.describe_stack_resources(StackName="under-test")["StackResources"]
    functions = boto3.client("lambda").list_functions()["Functions"]
    json.dump(
        {
            "status": stack["StackStatus"],
            "functions": {f["FunctionName"]: f["Handler"] for f in functions},
            "outputs": [o["OutputKey"] for o in stack.get("Outputs", ())],
            "unknown": sorted({template["Resources"][name]["Type"] for name in unknown}),
            "made": sorted(r.get("LogicalResourceId", "") for r in resources),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
