from data_prep.sources import SOURCES


def test_the_whole_folder_name_is_the_class(lay_out, seen):
    folder = lay_out(["land rover_range rover_2006/a.jpg", "land rover_range rover_2007/a.jpg"])
    rows = SOURCES["vmmrdb"].read_rows(folder)
    assert seen(rows) == [
        ("land rover_range rover_2006", "land rover_range rover_2006/a.jpg", "train", "", None),
        ("land rover_range rover_2007", "land rover_range rover_2007/a.jpg", "train", "", None),
    ]
