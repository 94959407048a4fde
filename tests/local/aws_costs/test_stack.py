from __future__ import annotations

from pathlib import Path

import pytest

from local.aws_costs.stack import Stack, read
from shared.errors import SettingError
from tests.local.aws_costs.templates import stack

SMALL = """
Parameters:
  Profile: {Type: String, Default: trial, AllowedValues: [trial, production]}
  Zones: {Type: Number, Default: 1}
  Subnets: {Type: CommaDelimitedList, Default: "a,b"}
  Class: {Type: String, Default: ""}
Mappings:
  Profiles:
    trial: {Class: small}
    production: {Class: large}
Conditions:
  IsProduction: !Equals [!Ref Profile, production]
  Chosen: !Not [!Equals [!Ref Class, ""]]
  Two: !Equals [!Ref Zones, "2"]
  Both: !And [!Condition IsProduction, !Condition Two]
  Either: !Or [!Condition IsProduction, !Condition Two]
Resources:
  Database:
    Type: AWS::RDS::DBInstance
    Properties:
      DBInstanceClass: !If [Chosen, !Ref Class, !FindInMap [Profiles, !Ref Profile, Class]]
      MultiAZ: !If [Either, true, !Ref AWS::NoValue]
      Subnets: !Ref Subnets
      Host: !GetAtt Other.Endpoint.Address
      Name: !Sub ${AWS::StackName}-${Profile}-${Other.Arn}
      Url: !Sub ["${Where}!", {Where: !Ref AWS::Region}]
      List: [1, !If [Two, 2, !Ref AWS::NoValue]]
  Second:
    Type: AWS::RDS::DBProxy
    Condition: Both
"""
NESTED = """
Parameters:
  Service: {Type: String}
  Database: {Type: String, Default: ""}
  Limit: {Type: Number, Default: 7}
Conditions:
  HasDatabase: !Not [!Equals [!Ref Database, ""]]
Resources:
  First: &alarm
    Type: AWS::CloudWatch::Alarm
    Condition: HasDatabase
    Properties: &properties
      Namespace: !Sub Own/${Service}
      Threshold: !Ref Limit
  Second:
    Type: AWS::CloudWatch::Alarm
    Properties:
      <<: *properties
      Threshold: 1
"""
PARENT = """
Parameters:
  Url: {Type: String, Default: ""}
Conditions:
  MakeDatabase: !Equals [!Ref Url, ""]
Resources:
  Alarms:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: folder/alarms.yaml
      Parameters:
        Service: !Ref AWS::StackName
        Database: !If [MakeDatabase, !Ref Database, ""]
"""


def test_parameters_and_conditions_are_applied(tmp_path: Path) -> None:
    [(name, kind, properties)] = stack(tmp_path, SMALL).resources()
    assert (name, kind) == ("Database", "AWS::RDS::DBInstance")
    assert properties == {
        "DBInstanceClass": "small",
        "Subnets": ["a", "b"],
        "Host": "Other.Endpoint.Address",
        "Name": "external-storage-sync-trial-Other.Arn",
        "Url": "eu-west-1!",
        "List": [1],
    }


def test_parameters_that_are_given_replace_the_defaults(tmp_path: Path) -> None:
    found = list(stack(tmp_path, SMALL, {"Profile": "production", "Zones": "2"}).resources())
    assert [name for name, _, _ in found] == ["Database", "Second"]
    properties = found[0][2]
    assert (properties["DBInstanceClass"], properties["MultiAZ"]) == ("large", True)
    assert properties["List"] == [1, 2]
    own = stack(tmp_path, SMALL, {"Profile": "production", "Class": "own"})
    assert next(own.resources())[2]["DBInstanceClass"] == "own"


def test_a_parameter_that_the_template_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no parameter Profil$"):
        stack(tmp_path, SMALL, {"Profil": "trial"})


def test_a_value_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Profile must be one of trial, production"):
        stack(tmp_path, SMALL, {"Profile": "test"})


def test_a_condition_that_is_not_understood_is_shown(tmp_path: Path) -> None:
    text = SMALL.replace("!Not [", "!Contains [")
    with pytest.raises(SettingError, match="Contains"):
        list(stack(tmp_path, text).resources())


@pytest.mark.parametrize(("url", "names"), [("", ["First", "Second"]), ("db", ["Second"])])
def test_a_nested_stack_is_part_of_it(url: str, names: list[str], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "alarms.yaml").write_text(NESTED)
    _, *alarms = stack(tmp_path, PARENT, {"Url": url}).resources()
    assert [name for name, _, _ in alarms] == names
    assert alarms[-1][2] == {"Namespace": "Own/external-storage-sync", "Threshold": 1}
    assert [one["Threshold"] for _, _, one in alarms[:-1]] == ["7"] * (len(names) - 1)


def test_a_template_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"alarms\.yaml"):
        list(stack(tmp_path, PARENT).resources())


def test_the_tags_that_functions_share_are_resolved(tmp_path: Path) -> None:
    text = SMALL + "Globals: {Function: {Tracing: Active, Level: !Ref Profile}}"
    assert stack(tmp_path, text).globals == {"Tracing": "Active", "Level": "trial"}
    assert not stack(tmp_path, SMALL).globals


def test_a_file_that_is_no_template_is_named(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("a: [")
    with pytest.raises(SettingError, match=r"broken\.yaml"):
        Stack(read(file), tmp_path, {}, "eu-west-1")
