from data_prep.sources import SOURCES


def test_every_suffix_is_read_and_names_repeat_in_folders(lay_out, seen):
    rows = SOURCES["furniture180"].read_rows(lay_out(["chair 1/001.JPG", "chair 1/002.webp", "sofa/001.jpg"]))
    assert seen(rows) == [
        ("chair 1", "chair 1/001.JPG", "train", "", None),
        ("chair 1", "chair 1/002.webp", "train", "", None),
        ("sofa", "sofa/001.jpg", "train", "", None),
    ]
