"""What all painters of the sample world have in common, and the miniatures, each rendered once."""

import numpy as np
import pytest

from data_prep.miniature.raw_data import family_of
from data_prep.miniature.worlds import LAYOUTS
from data_prep.sample_world import render_world
from data_prep.sources import SOURCES

SEED, SCALE = 3, 0.1


def streams(item, seed=0):
    """Generators of an item's family and of its own design."""
    return np.random.default_rng([seed, family_of(item), 1]), np.random.default_rng([seed, item, 2])


@pytest.fixture
def painter_checks():
    """A check that a module draws: the same from the same generators, differently for every view and item."""

    def check(module, styles):
        for style in styles:
            design = module.design(*streams(0))
            first, again = (
                module.photo(module.design(*streams(0)), np.random.default_rng([7, 1]), style)
                for _ in range(2)
            )
            assert first.dtype == np.uint8 and first.ndim == 3 and first.shape[2] == 3
            assert all(160 <= side <= 320 for side in first.shape[:2])
            assert np.array_equal(first, again)
            assert not np.array_equal(first, module.photo(design, np.random.default_rng([7, 2]), style))
            # Same conditions, another item: what differs is the thing itself, and it fills a good part.
            differing = []
            for item in range(1, 7):
                other = module.photo(module.design(*streams(item)), np.random.default_rng([7, 1]), style)
                same_shape = other.shape == first.shape
                differing.append(
                    np.any(np.abs(other.astype(int) - first) > 12, axis=2).mean() if same_shape else 1
                )
            assert min(differing) > 0.02, f"{style}: two items look the same"

    return check


@pytest.fixture(scope="session")
def miniature(tmp_path_factory):
    """miniature(source) -> (raw root that holds it, its plan)."""
    root, done = tmp_path_factory.mktemp("miniatures"), {}

    def render(source):
        if source not in done:
            render_world(root, SEED, SCALE, n_workers=1, sources=[source])
            done[source] = LAYOUTS[source](SEED, SCALE)
        return root, done[source]

    return render


@pytest.fixture
def read_and_planned(tmp_path):
    """read_and_planned(plan): the rows that its reader makes of the files, and those that were planned.

    (path, class key, split, role, reject reason), sorted; the class of a reject does not count. The pictures are
    empty files: this is for layouts that the rendered world does not use.
    """

    def read(data):
        for path, content in [*data.files.items(), *((p.path, b"") for p in data.photos if p.defect != "missing")]:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
        columns = ("path", "class_key", "split", "role", "reject_reason")
        found = SOURCES[data.source].read_rows(tmp_path).select(columns).rows()
        planned = [
            (p.path, p.class_key, p.split, p.role, p.reason or ("missing file" if p.defect == "missing" else None))
            for p in data.photos
            if p.listed
        ]
        reasons = {path: reason for path, *_, reason in planned}
        return tuple(
            sorted(((path, None if reasons.get(path) else key, *rest) for path, key, *rest in rows), key=str)
            for rows in (found, planned)
        )

    return read
