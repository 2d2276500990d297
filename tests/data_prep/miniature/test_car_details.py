import numpy as np

from data_prep.miniature import car_details, drawing, mesh
from data_prep.miniature.mesh import Camera, Viewpoint


def test_a_wheel_is_seen_from_its_own_side_only():
    for side in (1, -1):
        wheel = mesh.assemble([car_details.wheel(0.0, 0.2, side * 0.4, np.random.default_rng(0))])
        shares = []
        for yaw in (0.0, np.pi):
            canvas = drawing.blank(60, 60, (250, 0, 250))
            view = Viewpoint(Camera(yaw, 0.0), wheel, 60, 60)
            mesh.render(canvas, wheel, view, np.array([0, 0, 1.0]), 1.0)
            shares.append(np.any(canvas != (250, 0, 250), axis=2).mean())
        assert (shares[0] > 0.2, shares[1] > 0.2) == (side == 1, side == -1)


def test_rims_noses_and_tails_differ_between_models():
    rims, noses, tails = set(), set(), set()
    for seed in range(8):
        rims.add(car_details.wheel(0, 0.2, 1, np.random.default_rng(seed)).faces[0][2].tobytes())
        noses.add(
            car_details.nose((200, 0, 0), np.random.default_rng(1), np.random.default_rng(seed)).tobytes()
        )
        tails.add(car_details.tail((200, 0, 0), np.random.default_rng(seed)).tobytes())
    assert len(rims) == len(noses) == len(tails) == 8


def test_tail_lamps_are_red():
    tail = car_details.tail((20, 20, 220), np.random.default_rng(0)).astype(int)
    assert ((tail[:, :, 0] - tail[:, :, 1]) > 100).mean() > 0.01
