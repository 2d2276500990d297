from collections import Counter

from data_prep.miniature import shop_items
from data_prep.miniature.raw_data import design_streams
from data_prep.miniature.shop_layouts import deepfashion_inshop, products_10k, stanford_products

TRUE_KINDS = ["bicycle", "cabinet", "chair", "coffee_maker", "fan", "kettle"]
TRUE_KINDS += ["lamp", "mug", "sofa", "stapler", "table", "toaster"]


def test_products_10k_numbers_have_gaps_and_names_repeat_between_folders():
    data = products_10k(0, 1.0)
    train = data.files["train.csv"].decode().splitlines()
    test = data.files["test_kaggletest.csv"].decode().splitlines()
    assert train[0] == "name,class,group" and test[0] == "name,class,Usage"
    numbers = [int(row.split(".")[0]) for row in train[1:]]
    assert numbers == sorted(numbers) and numbers[-1] > 1.5 * len(numbers)
    assert {row.split(",")[0] for row in train} & {row.split(",")[0] for row in test[1:]}
    classes = [{row.split(",")[1] for row in rows[1:]} for rows in (train, test)]
    assert classes[0] == classes[1] == {str(k) for k in range(66)}
    assert {row.split(",")[2] for row in test[1:]} == {"Public", "Private"}


def test_ebay_lists_have_true_kinds_and_repeated_base_names():
    data = stanford_products(0, 1.0)
    rows = {}
    for split in ("train", "test"):
        header, *lines = data.files[f"Ebay_{split}.txt"].decode().splitlines()
        assert header == "image_id class_id super_class_id path"
        rows[split] = [line.split(" ") for line in lines]
    every = rows["train"] + rows["test"]
    assert [int(row[0]) for row in every] == list(range(1, len(every) + 1))
    assert {int(row[1]) for row in rows["train"]} == set(range(1, 57))
    assert {int(row[1]) for row in rows["test"]} == set(range(57, 85))
    for _, class_id, kind_number, path in every:
        kind = shop_items.category_of(design_streams(0, "stanford_products", int(class_id) - 1)[0])
        assert path.startswith(f"{kind}_final/") and path.endswith(".JPG")
        assert TRUE_KINDS[int(kind_number) - 1] == kind
    assert max(Counter(row[3].split("/")[1] for row in every).values()) > 1


def test_the_fashion_list_is_padded_and_counted():
    data = deepfashion_inshop(0, 1.0)
    count, header, *rows = data.files["Eval/list_eval_partition.txt"].decode().splitlines()
    assert int(count) == len(rows) == len(data.photos)
    assert header.split() == ["image_name", "item_id", "evaluation_status"]
    assert all("  " in row and len(row.split()) == 3 and len(row.split(" ")) > 3 for row in rows)
    by_item = {}
    for path, item_id, status in map(str.split, rows):
        assert path.split("/")[3] == item_id
        by_item.setdefault(item_id, set()).add(status)
    assert Counter(map(frozenset, by_item.values())) == {
        frozenset({"train"}): 52,
        frozenset({"query", "gallery"}): 26,
    }
    names = Counter(row.split()[0].split("/")[-1] for row in rows)
    assert names["01_1_front.jpg"] == 78 and any(name.startswith("02_") for name in names)
