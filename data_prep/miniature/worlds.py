"""The six miniatures by the key of the data set they stand in for."""

from collections.abc import Callable

from data_prep.miniature.car_layout import stanford_cars
from data_prep.miniature.landmark_layout import gldv2
from data_prep.miniature.museum_layout import met
from data_prep.miniature.raw_data import RawDataSet
from data_prep.miniature.shop_layouts import deepfashion_inshop, products_10k, stanford_products

LAYOUTS: dict[str, Callable[[int, float], RawDataSet]] = {
    "products_10k": products_10k,
    "stanford_products": stanford_products,
    "stanford_cars": stanford_cars,
    "deepfashion_inshop": deepfashion_inshop,
    "gldv2": gldv2,
    "met": met,
}


def count_photos(seed: int = 0, scale: float = 1.0) -> int:
    """Photos that the six data sets list together."""
    return sum(len(layout(seed, scale).photos) for layout in LAYOUTS.values())
