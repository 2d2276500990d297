"""Shards and tables as evaluation sets, and everything that can be wrong with them."""

import hashlib

import pytest

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_file
from submission.evaluation_set import read_shards, read_table


def test_a_table_gives_its_rows_in_order(table_path):
    evaluation = read_table(table_path)
    assert len(evaluation.items) == 18
    assert evaluation.items.ids[:2] == ["cars-red-0.png", "cars-red-1.png"]
    assert evaluation.items.roles[:3] == ["query", "index", "index"]
    assert evaluation.items.class_keys[3] == ("green",)
    assert evaluation.read_bytes(4) == (table_path.parent / "cars-green-1.png").read_bytes()
    assert evaluation.data_sha256 == sha256_of_file(table_path)
    hashes = [sha256_of_file(table_path.parent / name) for name in evaluation.items.ids]
    assert evaluation.images_sha256 == hashlib.sha256("".join(hashes).encode()).hexdigest()
    assert evaluation.source == {"kind": "table", "path": str(table_path)}


def test_columns_may_stand_in_any_order_and_others_are_allowed(table_path):
    lines = [line.split(",") for line in table_path.read_text().splitlines()]
    table_path.write_text("\n".join(",".join([row[3], row[2], "note", row[1], row[0]]) for row in lines))
    assert read_table(table_path).items.domains[:9] == ["cars"] * 9


def edit(table_path, old, new):
    text = table_path.read_text()
    assert old in text
    table_path.write_text(text.replace(old, new, 1))


def test_a_missing_column_is_named_with_what_was_found(table_path):
    edit(table_path, "domain,class_key", "domain,label")
    with pytest.raises(ConfigError, match="missing column class_key; found path, domain, label, role"):
        read_table(table_path)


def test_missing_and_unreadable_images_are_all_counted_and_listed(table_path):
    (table_path.parent / "cars-red-1.png").unlink()
    (table_path.parent / "toys-blue-2.png").write_bytes(b"no image")
    with pytest.raises(ConfigError, match="2 images cannot be used") as caught:
        read_table(table_path)
    assert "row 3: " in str(caught.value) and "cars-red-1.png: no such file" in str(caught.value)
    assert "row 19: " in str(caught.value) and "toys-blue-2.png: UnidentifiedImageError" in str(caught.value)


def test_empty_cells_and_unknown_roles_are_listed_by_row(table_path):
    edit(table_path, "cars,red,query", "cars,,query")
    edit(table_path, "toys,red,both", "toys,red,gallery")
    with pytest.raises(ConfigError, match="2 rows cannot be used") as caught:
        read_table(table_path)
    assert "row 2: nothing in class_key" in str(caught.value)
    assert "row 11: no role 'gallery'; known: query, index, both" in str(caught.value)


def test_a_query_without_an_index_image_is_named(table_path):
    edit(table_path, "cars-blue-0.png,cars,blue", "cars-blue-0.png,cars,violet")
    with pytest.raises(ConfigError, match=r"1 of 12 queries .* cars-blue-0\.png \(domain cars, class violet\)"):
        read_table(table_path)


def test_tables_that_cannot_be_read_are_named(table_path):
    with pytest.raises(ConfigError, match=r"none\.csv: not a readable CSV"):
        read_table(table_path.with_name("none.csv"))
    table_path.write_bytes(b"path,domain,class_key,role\n\xff\xfe,a,b,both\n")
    with pytest.raises(ConfigError, match=r"images\.csv: not a readable CSV"):
        read_table(table_path)
    table_path.write_text("path,domain,class_key,role\n")
    with pytest.raises(ConfigError, match="no rows below the header"):
        read_table(table_path)
    table_path.write_text("")
    with pytest.raises(ConfigError, match="missing column path, domain, class_key, role; found nothing"):
        read_table(table_path)


def test_shards_give_the_samples_of_the_split(shards_dir):
    evaluation = read_shards(shards_dir)
    assert len(evaluation.items) == 12
    assert evaluation.items.class_keys[0] == ("paint/test-red",)
    assert evaluation.items.roles == ["both"] * 12
    assert evaluation.read_bytes(0)[:2] == b"\xff\xd8"
    assert evaluation.data_sha256 == sha256_of_file(shards_dir / "manifest.json")
    assert evaluation.source == {"kind": "shards", "path": str(shards_dir), "split": "test"}


def test_training_samples_have_no_role_and_cannot_be_scored(shards_dir):
    with pytest.raises(ConfigError, match="split train: 18 of 18 samples have no role"):
        read_shards(shards_dir, "train")


def test_a_shard_that_is_not_the_packed_one_is_an_error(shards_dir):
    path = shards_dir / "test" / "paint-000000.tar"
    content = bytearray(path.read_bytes())
    content[600] ^= 1  # inside the first picture
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"paint-000000\.tar: changed after packing"):
        read_shards(shards_dir)


def test_no_manifest_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"manifest\.json"):
        read_shards(tmp_path)
