"""Google Landmarks v2 in miniature: hex ids in nested folders, two numberings of landmarks, several lists."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from data_prep.miniature.raw_data import (
    Photo,
    RawDataSet,
    lines,
    n_classes,
    n_train_classes,
    stream,
    with_defects,
)

SOURCE = "gldv2"
UNSCORED = {"None": 6, "": 2, "Ignored": 3}  # queries without an answer, by how the solution says so
N_DISTRACTORS = 4  # index images without a landmark
# Ids that a reader who guesses types would take for numbers.
TRICKY_IDS = ("0000000000000012", "1234567890123456", "12e5000000000000", "00ab000000000000")


@dataclass(frozen=True)
class Shot:
    """One picture to be: landmark is the number in the numbering of its folder, '' for none."""

    folder: str
    landmark: str
    item: int
    view: int
    usage: str = ""


def gldv2(seed: int, scale: float) -> RawDataSet:
    """All lists of `metadata/` and `ground_truth/`.

    Train and index use the same numbers for different landmarks. The last two index landmarks are one
    building under two numbers, so their queries accept both. The recognition solution is in the train
    numbering: taken for index numbers, it names landmarks that the queries do not show.
    """
    rng = stream(seed, SOURCE, 0, 0, 0, 4)
    n_train = n_train_classes(SOURCE, scale)
    train_numbers = [str(number) for number in rng.choice(20 * n_train, n_train, replace=False)]
    numbers = train_numbers[: n_classes(SOURCE, scale) - n_train]
    shots = [*_train_shots(train_numbers, rng), *_evaluation_shots(numbers, n_train, rng)]
    ids = [TRICKY_IDS[k] if k < len(TRICKY_IDS) else rng.bytes(8).hex() for k in range(len(shots))]
    photos = with_defects(
        [_photo(shot, image_id, rng) for shot, image_id in zip(shots, ids, strict=True)], SOURCE, seed
    )
    photos = [_with_twins(photo, numbers) for photo in photos]
    return RawDataSet(SOURCE, photos, _lists(train_numbers, numbers, shots, ids))


def _train_shots(numbers: list[str], rng: np.random.Generator) -> Iterator[Shot]:
    for item, number in enumerate(numbers):
        yield from (Shot("train", number, item, view) for view in range(int(rng.integers(7, 10))))


def _evaluation_shots(numbers: list[str], first_item: int, rng: np.random.Generator) -> Iterator[Shot]:
    last = len(numbers) - 1
    for k, number in enumerate(numbers):
        item, first = (
            first_item + min(k, last - 1),
            20 if k == last else 0,
        )  # two numbers for the last building
        yield from (Shot("index", number, item, first + view) for view in range(int(rng.integers(5, 8))))
        usage = ("Public", "Private")[k % 2]
        yield from (Shot("test", number, item, first + 10 + view, usage) for view in range(2 + k % 2))
    strangers = [("test", usage) for usage, n in UNSCORED.items() for _ in range(n)] + [
        ("index", "")
    ] * N_DISTRACTORS
    yield from (
        Shot(folder, "", first_item + last + k, 0, usage) for k, (folder, usage) in enumerate(strangers)
    )


def _photo(shot: Shot, image_id: str, rng: np.random.Generator) -> Photo:
    path = f"{shot.folder}/{image_id[0]}/{image_id[1]}/{image_id[2]}/{image_id}.jpg"
    named = f"{'train' if shot.folder == 'train' else 'index'}-{shot.landmark}"
    nameless = f"{'distractor' if shot.folder == 'index' else 'unscored'}-{image_id}"
    style = "evening" if rng.random() < 0.25 else "day"
    split = "train" if shot.folder == "train" else "test"
    unscored = shot.folder == "test" and not shot.landmark
    reason = "query not scored" if shot.usage == "Ignored" else "query without a landmark"
    role = {"train": "", "index": "index", "test": "query"}[shot.folder]
    return Photo(
        path, named if shot.landmark else nameless, shot.item, shot.view, style, split,
        role="index" if unscored else role, reason=reason if unscored else "",
    )  # fmt: skip


def _with_twins(photo: Photo, numbers: list[str]) -> Photo:
    """Queries of the last building are right under both of its numbers."""
    twins = [f"index-{number}" for number in numbers[-2:]]
    if photo.role != "query" or photo.class_key not in twins:
        return photo
    return replace(photo, more_class_keys=tuple(twin for twin in twins if twin != photo.class_key))


def _lists(
    train_numbers: list[str], numbers: list[str], shots: list[Shot], ids: list[str]
) -> dict[str, bytes]:
    in_folder: dict[str, list[tuple[str, Shot]]] = {"train": [], "index": [], "test": []}
    ids_of: dict[tuple[str, str], list[str]] = {}
    for shot, image_id in zip(shots, ids, strict=True):
        in_folder[shot.folder].append((image_id, shot))
        ids_of.setdefault((shot.folder, shot.landmark), []).append(image_id)
    train = (f"{number},{' '.join(ids_of['train', number])}" for number in train_numbers)
    landmarks = (f"{image_id},{shot.landmark}" for image_id, shot in in_folder["index"] if shot.landmark)
    images = {number: ids_of["index", number] for number in numbers}
    images[numbers[-2]] = images[numbers[-1]] = images[numbers[-2]] + images[numbers[-1]]
    wrong = dict(zip(numbers, [*numbers[1:], numbers[0]], strict=True))
    test = in_folder["test"]
    usages = ["Public" if shot.usage in ("None", "") else shot.usage for _, shot in test]
    answers = [
        " ".join(images[shot.landmark]) if shot.landmark else _no_answer(shot.usage) for _, shot in test
    ]
    recognised = [wrong.get(shot.landmark, "") for _, shot in test]
    names = [image_id for image_id, _ in test]
    return {
        "metadata/train_clean.csv": lines("landmark_id,images", train),
        "metadata/index.csv": lines("id", (image_id for image_id, _ in in_folder["index"])),
        "metadata/index_image_to_landmark.csv": lines("id,landmark_id", landmarks),
        "metadata/test.csv": lines("id", names),
        "ground_truth/retrieval_solution_v2.1.csv": lines(
            "id,images,Usage", map(",".join, zip(names, answers, usages, strict=True))
        ),
        "ground_truth/recognition_solution_v2.1.csv": lines(
            "id,landmarks,Usage", map(",".join, zip(names, recognised, usages, strict=True))
        ),
    }


def _no_answer(usage: str) -> str:
    """How the solution writes 'no image': an empty cell or the word."""
    return "" if usage == "" else "None"
