"""The error types a user meets, and the one wording for a name nobody knows."""

from collections.abc import Iterable


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


def unknown_name(what: str, got: object, known: Iterable[str], where: str) -> ConfigError:
    """An error that names the thing asked for and everything that exists.

    >>> str(unknown_name("source", "sop", ["met", "gldv2"], "quickstart.yaml"))
    "quickstart.yaml: no source 'sop'; known: gldv2, met"
    """
    return ConfigError(f"{where}: no {what} {got!r}; known: {', '.join(sorted(known))}")
