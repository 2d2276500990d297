from data_prep.miniature.worlds import LAYOUTS, count_photos
from data_prep.sources import SOURCES


def test_there_is_a_miniature_of_every_source():
    assert LAYOUTS.keys() == SOURCES.keys()
    assert all(layout(0, 0.1).source == source for source, layout in LAYOUTS.items())


def test_the_quickstart_world_has_the_size_that_fits_its_time():
    assert 3_000 <= count_photos() <= 4_000
    planned = [layout(0, 1.0) for layout in LAYOUTS.values()]
    n_classes = sum(len({photo.class_key for photo in data.photos}) for data in planned)
    assert 400 <= n_classes <= 500


def test_paths_are_listed_once_and_stay_inside():
    for layout in LAYOUTS.values():
        data = layout(1, 0.5)
        paths = [photo.path for photo in data.photos]
        assert len(set(paths)) == len(paths) and not set(paths) & data.files.keys()
        assert not any(path.startswith("/") or ".." in path for path in [*paths, *data.files])


def test_the_size_follows_the_scale():
    assert 1.9 < count_photos(scale=2.0) / count_photos() < 2.1
