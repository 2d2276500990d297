import threading
import time

import numpy as np
import pytest

from train.data.row_cache import cached_rows

ROWS = np.arange(7 * 3, dtype=np.float32).reshape(7, 3)  # batches of 2: 2, 2, 2, 1


class Maker:
    """Gives the rows batch by batch; stops with KeyboardInterrupt before batch `stop_at`."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.made = []

    def __call__(self, first):
        for batch in range(first, 4):
            if batch == self.stop_at:
                raise KeyboardInterrupt
            self.made.append(batch)
            yield ROWS[2 * batch : 2 * batch + 2]


def make(path, maker, n_rows=7, batch_size=2):
    return cached_rows(path, n_rows, 3, batch_size, maker)


def test_made_once_and_read_without_loading(tmp_path):
    path = tmp_path / "deep" / "rows.npy"
    first = make(path, Maker())
    assert isinstance(first, np.memmap) and np.array_equal(first, ROWS)
    second = Maker()
    assert np.array_equal(make(path, second), ROWS) and not second.made
    assert np.array_equal(np.load(path), ROWS)
    assert [p.name for p in path.parent.iterdir()] == ["rows.npy"]


@pytest.mark.parametrize("stop_at", [0, 1, 3])
def test_an_interrupted_call_goes_on_after_its_last_batch(stop_at, tmp_path):
    path = tmp_path / "rows.npy"
    with pytest.raises(KeyboardInterrupt):
        make(path, Maker(stop_at))
    assert not path.exists()
    again = Maker()
    assert np.array_equal(make(path, again), ROWS)
    assert again.made == list(range(stop_at, 4))


@pytest.mark.parametrize("n_extra_bytes, first", [(5, 1), (12, 1), (23, 1), (24, 2)])
def test_what_a_kill_left_of_a_batch_is_made_again(n_extra_bytes, first, tmp_path):
    """One batch is 2 rows x 3 values x 4 bytes = 24 bytes; behind a whole one lie some bytes of the next."""
    path = tmp_path / "rows.npy"
    with pytest.raises(KeyboardInterrupt):
        make(path, Maker(stop_at=1))
    with open(path.with_name("rows.npy.part"), "ab") as stream:
        stream.write(ROWS[2:].tobytes()[:n_extra_bytes])
    again = Maker()
    assert np.array_equal(make(path, again), ROWS)
    assert again.made == list(range(first, 4))


def test_killed_between_the_last_row_and_the_rename(tmp_path):
    path = tmp_path / "rows.npy"
    make(path, Maker())
    path.rename(tmp_path / "rows.npy.part")
    again = Maker()
    assert np.array_equal(make(path, again), ROWS) and not again.made


def test_leftovers_of_another_shape_are_not_believed(tmp_path):
    path = tmp_path / "rows.npy"
    path.with_name("rows.npy.part").write_bytes(b"nonsense" * 40)
    assert np.array_equal(make(path, Maker()), ROWS)


def test_too_few_rows_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="7 rows were made, expected 9"):
        make(tmp_path / "rows.npy", Maker(), n_rows=9)
    assert not (tmp_path / "rows.npy").exists()


def test_a_second_process_waits_for_the_first(tmp_path):
    """Two threads with streams of their own stand for two processes: the lock belongs to the open file."""
    path, started = tmp_path / "rows.npy", threading.Event()
    first, second = Maker(), Maker()

    def slowly(batch):
        started.set()
        time.sleep(0.3)
        yield from first(batch)

    thread = threading.Thread(target=make, args=(path, slowly))
    thread.start()
    started.wait(10)
    assert np.array_equal(make(path, second), ROWS)
    thread.join()
    assert first.made == [0, 1, 2, 3] and not second.made
    assert [p.name for p in tmp_path.iterdir()] == ["rows.npy"]
