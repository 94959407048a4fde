"""The processes' way into `local.cli`; people type `./sync`, which ends here too."""

import sys

try:
    from local.cli import main
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] in {"local", "functions", "shared"}:
        raise
    sys.exit(f"{error.name} is not installed here: run `make setup`, then ./sync")
except KeyboardInterrupt:  # while modules are imported
    sys.exit(130)

main()
