"""Raw public data -> checked catalogue -> shards. Every run file imports from here first, so here it is said once, in
place of a traceback, that the project's packages are missing: the commands want the environment that make installs."""

import sys
from importlib.util import find_spec

if find_spec("polars") is None:
    raise SystemExit(
        f"error: {sys.executable} has not the packages of requirements.txt; "
        "`make setup` installs them into .venv, and `. .venv/bin/activate` makes that the python of this shell"
    )
