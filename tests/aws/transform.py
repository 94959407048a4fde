"""Prints a SAM template as CloudFormation gets it. Run by the Python that SAM is installed for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """Stands in for a look-up in an account; the template names managed policies by ARN only."""

    @staticmethod
    def load() -> dict[str, str]:
        """Return no policy."""
        return {}


def main() -> None:
    """Transforms the template named on the command line."""
    template = yaml_parse(Path(sys.argv[1]).read_text())
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            # Deploying puts the package there; the transform asks for nothing but the shape.
            resource["Properties"]["CodeUri"] = f"s3://packages/{name}.zip"
    template["Globals"]["Function"].pop("CodeUri", None)
    json.dump(transform(template, {}, NoManagedPolicies()), sys.stdout)


if __name__ == "__main__":
    main()
