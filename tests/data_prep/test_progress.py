import sys

import pytest

from data_prep import progress
from data_prep.progress import progress_bar


def states_shown(capsys, n_updates):
    with progress_bar(n_updates, "shards", "image") as bar:
        for _ in range(n_updates):
            bar.update()
    return [state for state in capsys.readouterr().err.replace("\n", "\r").split("\r") if state.strip()]


def test_a_log_keeps_the_first_and_the_last_state_only(capsys):
    states = states_shown(capsys, 5000)
    assert len(states) == 2 and "0/5000" in states[0] and "5000/5000" in states[1]
    assert states[1].startswith("shards") and "image" in states[1]


def test_a_terminal_sees_the_bar_move(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_STATES", 0.0)
    assert len(states_shown(capsys, 50)) > 10


@pytest.mark.parametrize("watched", [True, False])
def test_who_watches(monkeypatch, watched):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: watched, raising=False)
    assert progress.is_watched() is watched
