from data_prep.sources.wikiart import read_rows


def test_titles_hold_commas_and_the_first_line_counts(lay_out, seen):
    dog = "Realism/ilya-repin_a-man, a-dog.1200px.jpg"
    lists = {"Style/style_train.csv": f"{dog},21\n", "Style/style_val.csv": "Cubism/pablo-picasso_guitar.jpg,7\n"}
    assert seen(read_rows(lay_out([f"wikiart/{dog}"], lists))) == [
        ("21", f"wikiart/{dog}", "train", "", None),
        ("7", "wikiart/Cubism/pablo-picasso_guitar.jpg", "train", "", "missing file"),
    ]
