"""The host's PyTorch 1.11 on this machine: found, or made once in the user's cache folder.

It needs a Python of its own, 3.8 to 3.10. The environment variable GUIE_HOST_PYTHON names an interpreter that has
torch 1.11 already, or `none` to go without. Whatever runs there runs in a subprocess: 1.11 aborts the whole process on
some files that it cannot read.
"""

import fcntl
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_prep.errors import ConfigError
from data_prep.files import UNFINISHED_SUFFIX, unfinished_name
from data_prep.progress import is_watched

HOST_TORCH = "1.11"
VARIABLE = "GUIE_HOST_PYTHON"
WITHOUT = "none"
BASE_VERSIONS = ("3.8", "3.9", "3.10")  # of Python, that torch 1.11.0 and torchvision 0.12.0 both have wheels for
# numpy and Pillow of the challenge's summer, 2022.
PACKAGES = ("torch==1.11.0", "torchvision==0.12.0", "numpy==1.22.4", "pillow==9.2.0")
_COST = "about 0.8 GB to download, 1.9 GB on the disk"
_START_SECONDS = 300  # for `import torch`: seconds, or minutes where the machine is busy
_NAME = "host-torch-1.11.0-torchvision-0.12.0"
_PROBE_DIR = Path(__file__).parent
_CALL = "import sys; sys.path.append(sys.argv[1]); import host_probe; getattr(host_probe, sys.argv[2])(*sys.argv[3:])"
_IS_SUITABLE = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"


class NoHostPython(Exception):
    """This machine has no torch 1.11, and it could not be made; the message says why."""


def environment_dir() -> Path:
    """Where the environment is, or would be: shared by all checkouts of one user."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "universal-image-embedding" / _NAME


def find_host_python() -> Path | None:
    """Interpreter with the host's PyTorch, or None where there is none.

    Raises:
        ConfigError: GUIE_HOST_PYTHON names something that is not an interpreter with torch 1.11.
    """
    named = os.environ.get(VARIABLE)
    if named == WITHOUT:
        return None
    python = Path(named) if named else environment_dir() / "bin" / "python"
    if not named and not python.is_file():
        return None
    where = f"{VARIABLE}={named}" if named else str(python)
    if not python.is_file():
        raise ConfigError(f"{where}: no such file; expected a Python interpreter with torch {HOST_TORCH}, or {WITHOUT}")
    version, error = _torch_version(python)
    if not version.startswith(f"{HOST_TORCH}."):
        hint = "" if named else f"; remove {environment_dir()} to have it made anew"
        raise ConfigError(f"{where}: expected torch {HOST_TORCH}, got {version or error}{hint}")
    return python


def provide_host_python(base: Path | None = None) -> Path:
    """The interpreter that is found, or that of an environment made now: whole or not at all, by one process at a time.

    Args:
        base: Python 3.8 to 3.10 to make it from; None: the first of `base_pythons()`, else through uv.

    Raises:
        ConfigError: GUIE_HOST_PYTHON names something that is not an interpreter with torch 1.11.
        NoHostPython: GUIE_HOST_PYTHON is `none`; no such Python; the index of packages does not answer; disk full.
    """
    if os.environ.get(VARIABLE) == WITHOUT:
        raise NoHostPython(f"{VARIABLE} is {WITHOUT}")
    found = find_host_python()
    if found is not None:
        return found
    target = environment_dir()
    python = target / "bin" / "python"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _only_maker_of(target):
            if not python.is_file():  # else another process made it while this one waited
                shutil.rmtree(target, ignore_errors=True)  # the Python it was made from is gone
                _make(target, base)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoHostPython(f"{target}: {error}") from error
    return python


def base_pythons() -> list[Path]:
    """Pythons 3.8 to 3.10 that can make an environment: those on PATH, then those of pyenv."""
    on_path = [shutil.which(f"python{version}") for version in BASE_VERSIONS]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    kept = [path for version in BASE_VERSIONS for path in sorted(pyenv.glob(f"{version}.*/bin/python{version}"))]
    # A shim of pyenv is on PATH for versions that are not switched on: only running it tells.
    return [path for path in (*(Path(name) for name in on_path if name), *kept) if _is_base(path)]


def call_probe(python: Path, call: list[str], timeout_seconds: float) -> subprocess.CompletedProcess:
    """Call a function of `host_probe` in that interpreter and wait for its end."""
    command, environment = probe_command(python, call), probe_variables()
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_seconds, env=environment)


def probe_command(python: Path, call: list[str]) -> list[str]:
    """The command line; -I keeps this project's PYTHONPATH out of the other Python."""
    return [str(python), "-I", "-c", _CALL, str(_PROBE_DIR), *call]


def probe_variables() -> dict[str, str]:
    """This process's environment. 1.11's threads sleep while they wait: spinning, they block a machine that is busy."""
    return {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}


def last_line(text: str) -> str:
    """What a failed process said at the end."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"


@functools.cache
def _torch_version(python: Path) -> tuple[str, str]:
    """What the interpreter has, and if it has none its last words; asked once a process, it takes seconds."""
    try:
        answer = call_probe(python, ["print_version"], _START_SECONDS)
    except subprocess.TimeoutExpired:
        return "", f"no answer in {_START_SECONDS} s"
    return (answer.stdout.strip(), "") if answer.returncode == 0 else ("", last_line(answer.stderr))


def _is_base(python: Path) -> bool:
    try:
        answer = subprocess.run([python, "-I", "-c", _IS_SUITABLE], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.strip() in BASE_VERSIONS


@contextmanager
def _only_maker_of(target: Path) -> Iterator[None]:
    """Wait for another process that makes the same folder; the system lets go of the lock when its holder ends."""
    with open(target.with_name(f"{target.name}.lock"), "a", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another process makes {target}; waiting for it", file=sys.stderr, flush=True)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _make(target: Path, base: Path | None) -> None:
    """Make it under a temporary name, try it, and only then give it its own."""
    for leftover in target.parent.glob(f".{target.name}.*{UNFINISHED_SUFFIX}"):  # of a process that was killed
        shutil.rmtree(leftover)
    uv = shutil.which("uv")
    unfinished = target.with_name(unfinished_name(target.name))
    create, source = _create_command(unfinished, base, uv)
    print(f"once: torch 1.11.0 and torchvision 0.12.0 of the challenge's host into {target}, from {source}; {_COST} "
          f"({VARIABLE}={WITHOUT} goes without)", file=sys.stderr, flush=True)
    try:
        _run(create, "making the environment", is_shown=False)
        python = unfinished / "bin" / "python"
        _run(_install_command(python, uv), f"installing {' '.join(PACKAGES)}", is_shown=is_watched())
        answer = call_probe(python, ["print_versions"], _START_SECONDS)
        if answer.returncode != 0:
            raise NoHostPython(f"torch 1.11.0 does not start on this machine: {last_line(answer.stderr)}")
        os.replace(unfinished, target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    print(f"made {target}", file=sys.stderr, flush=True)


def _create_command(folder: Path, base: Path | None, uv: str | None) -> tuple[list[str], str]:
    """The command that makes an empty environment, and what it is made from."""
    if base is not None and not _is_base(base):
        raise ConfigError(f"{base}: expected Python {', '.join(BASE_VERSIONS[:-1])} or {BASE_VERSIONS[-1]} with venv")
    found = [base] if base is not None else base_pythons()
    if found:
        return [str(found[0]), "-I", "-m", "venv", str(folder)], str(found[0])
    if uv is not None:
        version = BASE_VERSIONS[0]
        return [uv, "venv", "--quiet", "--python", version, str(folder)], f"uv's Python {version}"
    raise NoHostPython(f"no Python {', '.join(BASE_VERSIONS)} on PATH or under pyenv, and no uv")


def _install_command(python: Path, uv: str | None) -> list[str]:
    """uv where it is installed, else the environment's own pip."""
    if uv is not None:
        return [uv, "pip", "install", "--python", str(python), *PACKAGES]
    # No cache: pip of that age holds a cached file twice in memory, and this one has 0.75 GB.
    quick = ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--no-compile", "--retries", "1"]
    return [str(python), "-I", "-m", "pip", "install", *quick, "--timeout", "20", *PACKAGES]


def _run(command: list[str], what: str, is_shown: bool) -> None:
    """Run to the end, on a terminal with the command's own progress bars."""
    output = None if is_shown else subprocess.DEVNULL
    done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.lower().startswith("error")]
        raise NoHostPython(f"{what}: {errors[-1] if errors else last_line(done.stderr)}")
