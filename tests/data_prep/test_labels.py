import polars as pl
import pytest

from data_prep.catalogue import make_catalogue, reject
from data_prep.errors import ConfigError
from data_prep.labels import number_classes
from data_prep.sources.source import source_rows


def catalogue(source, class_keys, split="train"):
    paths = [f"{n}.jpg" for n in range(len(class_keys))]
    return make_catalogue(source_rows(class_keys, paths, splits=split), source, source + "s", source)


@pytest.fixture
def table():
    return pl.concat([catalogue("shop", ["9", "10", "9"]), catalogue("cars", ["9", "a"])])


def test_numbered_from_zero_by_source_then_key_as_text(table):
    labels = number_classes(table)
    found = [(entry.class_id, entry.source, entry.class_key, entry.n_images) for entry in labels.entries]
    assert found == [(0, "cars", "9", 1), (1, "cars", "a", 1), (2, "shop", "10", 1), (3, "shop", "9", 2)]
    assert labels.id_of("shop", "9") == 3
    assert labels.id_of("cars", "9") == 0


def test_the_order_of_rows_does_not_matter(table):
    assert number_classes(table.reverse()).entries == number_classes(table).entries


def test_a_class_without_an_accepted_image_gets_no_id(table):
    labels = number_classes(reject(table, pl.col("class_key") == "a", "truncated"))
    assert [entry.class_id for entry in labels.entries] == [0, 1, 2]
    assert labels.id_of("cars", "9") == 0
    with pytest.raises(ConfigError, match=r"cars: no accepted image of class 'a'; classes with images: 1"):
        labels.id_of("cars", "a")
