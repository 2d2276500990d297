"""The error types a user meets, and the one wording for a name nobody knows."""

from collections.abc import Iterable
from difflib import get_close_matches


class ConfigError(Exception):
    """The user's files or flags are wrong: a config, a mixture, a raw folder, a table, a checkpoint."""


class ContractError(Exception):
    """A file breaks a rule of the challenge's host: model file, zip, output shape, budget."""


class TrainingError(Exception):
    """Training cannot go on, though files and flags are right: a loss that is no number, no memory left."""


class SharedError(Exception):
    """An error of another process of the same run, which has said it."""


class WorkerDied(Exception):
    """A worker process ended without an answer; most often the machine ran out of memory."""


def unknown_name(what: str, got: object, known: Iterable[str], where: str, guess: str = "") -> ConfigError:
    """An error that names the thing asked for and everything that exists; `guess` in place of `did_you_mean`'s.

    >>> str(unknown_name("source", "sop", ["met", "gldv2"], "quickstart.yaml"))
    "quickstart.yaml: no source 'sop'; known: gldv2, met"
    """
    known = sorted(known)
    return ConfigError(f"{where}: no {what} {got!r}{guess or did_you_mean(got, known)}; known: {', '.join(known)}")


def did_you_mean(got: object, known: Iterable[str]) -> str:
    """The one known name that looks most like the wrong one, as a question; empty when none does.

    >>> did_you_mean("quickstrat", ["pocket", "quickstart"])
    ", did you mean 'quickstart'?"
    >>> did_you_mean("sop", ["met"])
    ''
    """
    close = get_close_matches(str(got), list(known), n=1, cutoff=0.75)
    return f", did you mean {close[0]!r}?" if close else ""
