"""Progress bars that stay short where nobody watches: a log file keeps every state of a bar."""

import sys

from tqdm import tqdm

SECONDS_BETWEEN_STATES = 0.5  # on a terminal
SECONDS_BETWEEN_STATES_IN_A_LOG = 60.0


def is_watched() -> bool:
    """Whether progress goes to a terminal, where a new state replaces the one before."""
    return sys.stderr.isatty()


def progress_bar(total: int, title: str, unit: str) -> tqdm:
    """A bar on stderr, as a context manager; in a log about one state a minute, besides the first and the last.

    Args:
        total: units at the end.
        title: shown before the bar.
        unit: what `update` counts, in the singular.
    """
    return tqdm(total=total, desc=title, unit=unit, **_pace())


def bytes_bar(total: int | None, done: int, title: str) -> tqdm:
    """A bar of bytes with rate and remaining time.

    Args:
        total: bytes at the end; None where nobody knows.
        done: bytes that were there before; they do not count for the rate.
        title: shown before the bar.
    """
    return tqdm(total=total, initial=done, desc=title, unit="B", unit_scale=True, **_pace())


def _pace() -> dict[str, object]:
    seconds = SECONDS_BETWEEN_STATES if is_watched() else SECONDS_BETWEEN_STATES_IN_A_LOG
    # maxinterval: tqdm's own thread forces a state after this time, ten seconds unless told otherwise.
    return {"dynamic_ncols": True, "mininterval": seconds, "maxinterval": max(10, seconds)}
