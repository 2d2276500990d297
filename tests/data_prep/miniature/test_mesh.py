import numpy as np
import pytest

from data_prep.miniature import drawing, mesh
from data_prep.miniature.mesh import Camera, Viewpoint

SIDES = {
    "front": (255, 0, 0),
    "right": (0, 255, 0),
    "back": (0, 0, 255),
    "left": (255, 255, 0),
    "top": (0, 255, 255),
}
FRONTAL = np.array([0.0, 0.0, 1.0])


def painted_box():
    skins = [drawing.blank(16, 16, colour) for colour in SIDES.values()]
    return mesh.assemble([mesh.box((0, 0, 0), (1, 1, 1), (255, 255, 255), skins)])


def visible_sides(**angles):
    """Names of the sides that cover at least 1 % of the picture, under light that keeps colours pure."""
    canvas = drawing.blank(120, 120, (9, 9, 9))
    solid = painted_box()
    camera = Camera(**{"yaw": 0.0, "pitch": 0.0, **angles})
    mesh.render(canvas, solid, Viewpoint(camera, solid, 120, 120), FRONTAL, ambient=1.0)
    shares = {
        name: np.all((canvas > 90) == (np.array(colour) > 90), axis=2).mean()
        for name, colour in SIDES.items()
    }
    return {name for name, share in shares.items() if share > 0.01}


def test_the_camera_sees_the_sides_that_face_it():
    assert visible_sides() == {"front"}
    assert visible_sides(yaw=-0.7) == {"front", "right"}  # the object turns, not the camera
    assert visible_sides(yaw=0.7) == {"front", "left"}
    assert visible_sides(yaw=np.pi - 0.7) == {"back", "right"} or visible_sides(yaw=np.pi - 0.7) == {
        "back",
        "left",
    }
    assert visible_sides(pitch=0.6) == {"front", "top"}


PARTS = {
    "box": mesh.box((0, 0, 0), (1, 2, 3), (1, 1, 1)),
    "prism": mesh.prism(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]), 0.5, [(1, 1, 1)], (1, 1, 1)),
    "revolution": mesh.revolution(np.array([[1, -1], [1.5, 0], [1, 1]]), 8, [(1, 1, 1)]),
}


@pytest.mark.parametrize("name", PARTS)
def test_corners_run_clockwise_as_seen_from_outside(name):
    part = PARTS[name]
    assert len(part.faces) >= 6
    for corners, _, _ in part.faces:
        points = part.points[list(corners)]
        normal = -np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)
        assert normal @ points.mean(axis=0) > 0, corners  # the parts are convex and lie around the origin


@pytest.mark.parametrize("fill", [0.4, 0.9])
def test_the_solid_spans_the_share_it_is_given(fill):
    solid = painted_box()
    view = Viewpoint(Camera(0.5, 0.2, fill=fill, centre_xy=(0.25, 0.5)), solid, 200, 300)
    pixels, _ = view.pixels(solid.points)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    assert max((high - low) / (300, 200)) == pytest.approx(fill)
    assert (low + high) / 2 == pytest.approx((75, 100))


def test_near_parts_hide_far_ones_whatever_their_order():
    near, far = (
        mesh.box((0, 0, z), (1, 1, 0.1), colour) for z, colour in ((1, (255, 0, 0)), (-1, (0, 0, 255)))
    )
    for parts in ([near, far], [far, near]):
        solid, canvas = mesh.assemble(parts), drawing.blank(80, 80, (9, 9, 9))
        mesh.render(canvas, solid, Viewpoint(Camera(0, 0), solid, 80, 80), FRONTAL, ambient=1.0)
        assert canvas[40, 40, 0] > 200 and canvas[40, 40, 2] < 20


def test_faces_turned_to_the_light_are_brighter():
    solid, canvas = (
        mesh.assemble([mesh.box((0, 0, 0), (1, 1, 1), (200, 200, 200))]),
        drawing.blank(120, 120, (0, 0, 0)),
    )
    mesh.render(
        canvas, solid, Viewpoint(Camera(-0.8, 0), solid, 120, 120), np.array([1.0, 0, 0]), ambient=0.4
    )
    bright, dark = (
        sorted({int(value) for value in canvas[60, :, 0] if value})[-1],
        int(canvas[60, :, 0][canvas[60, :, 0] > 0].min()),
    )
    assert canvas[60, 100, 0] == bright > 1.3 * dark  # the right side


def test_a_skin_wraps_once_around():
    skin = np.concatenate([drawing.blank(8, 40, colour) for colour in ((255, 0, 0), (0, 255, 0))], axis=1)
    wall = mesh.revolution(np.array([[1, 0], [1, 1]]), 8, [(0, 0, 0)], skins={0: skin})
    strips = [texture for _, _, texture in wall.faces[:8]]
    assert [int(strip[0, 0, 0]) for strip in strips] == [255] * 4 + [0] * 4
    assert len(wall.faces) == 9  # and a lid


def test_the_footprint_lies_at_the_bottom():
    solid = painted_box()
    view = Viewpoint(Camera(0, 0.3), solid, 100, 100)
    ring, corners = mesh.footprint(solid, view, 1.0), view.pixels(solid.points)[0]
    assert ring[:, 1].mean() > corners[:, 1].mean() and ring[:, 0].mean() == pytest.approx(50, abs=1)
