"""The miniatures by the key of the data set they stand in for."""

from collections.abc import Callable, Sequence

from data_prep.miniature import (
    brand_layouts,
    car_folder_layouts,
    dish_folder_layouts,
    dish_list_layouts,
    fashion_layouts,
    general_layouts,
    home_layouts,
    listing_layout,
    nature_layouts,
    picture_layouts,
    retail_layouts,
)
from data_prep.miniature.car_layout import stanford_cars
from data_prep.miniature.landmark_layout import gldv2
from data_prep.miniature.museum_layout import met
from data_prep.miniature.raw_data import RawDataSet
from data_prep.miniature.shop_layouts import deepfashion_inshop, products_10k, stanford_products

QUICKSTART: dict[str, Callable[[int, float], RawDataSet]] = {
    "products_10k": products_10k,
    "stanford_products": stanford_products,
    "stanford_cars": stanford_cars,
    "deepfashion_inshop": deepfashion_inshop,
    "gldv2": gldv2,
    "met": met,
}
LAYOUTS: dict[str, Callable[[int, float], RawDataSet]] = {
    **QUICKSTART,
    **car_folder_layouts.LAYOUTS,
    **dish_folder_layouts.LAYOUTS,
    **dish_list_layouts.LAYOUTS,
    **general_layouts.LAYOUTS,
    **nature_layouts.LAYOUTS,
    **picture_layouts.LAYOUTS,
    **brand_layouts.LAYOUTS,
    **fashion_layouts.LAYOUTS,
    **home_layouts.LAYOUTS,
    **listing_layout.LAYOUTS,
    **retail_layouts.LAYOUTS,
}


def count_photos(seed: int = 0, scale: float = 1.0, sources: Sequence[str] = tuple(QUICKSTART)) -> int:
    """Photos of some data sets together."""
    return sum(len(LAYOUTS[source](seed, scale).photos) for source in sources)
