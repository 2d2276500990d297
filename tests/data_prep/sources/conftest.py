"""Hand-written raw layouts: the text files of a data set and the names of its pictures (empty files)."""

import pytest


@pytest.fixture
def lay_out(tmp_path):
    """lay_out(pictures, {path: text}): the raw folder that holds them."""

    def write(pictures=(), lists=None):
        for path, content in [*((path, "") for path in pictures), *(lists or {}).items()]:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(content, encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def boxes_seen():
    """boxes_seen(rows): (class_key, path with its box, reject_reason) of each row of boxes, after the scan's checks."""
    from data_prep.catalogue import check_catalogue, make_catalogue
    from data_prep.crops import rows_of_boxes

    def look(rows):
        cut = rows_of_boxes(rows, 0.0)
        check_catalogue(make_catalogue(cut, "source", "domain", "raw"), "test")
        assert set(cut["split"]) == {"train"}
        return cut.select("class_key", "path", "reject_reason").rows()

    return look


@pytest.fixture
def seen():
    """seen(rows): (class_key, path, split, role, reject_reason) of each row, after the checks of the scan."""
    from data_prep.catalogue import check_catalogue, make_catalogue

    def look(rows):
        check_catalogue(make_catalogue(rows, "source", "domain", "raw"), "test")
        return rows.select("class_key", "path", "split", "role", "reject_reason").rows()

    return look
