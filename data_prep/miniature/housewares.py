"""Lamps, mugs, kettles and toasters of turned and drawn-out shapes, standing on y = 0."""

import numpy as np

from data_prep.miniature import drawing, mesh, textures
from data_prep.miniature.drawing import hsv
from data_prep.miniature.furniture import Look
from data_prep.miniature.mesh import Part

Rng = np.random.Generator


def lamp(shared: Rng, own: Rng, look: Look) -> list[Part]:
    """A lamp: turned foot, patterned shade."""
    pole, low, high = shared.uniform(0.3, 0.9), own.uniform(0.2, 0.36), own.uniform(0.08, 0.3)
    foot = [[own.uniform(0.12, 0.24), 0], [own.uniform(0.08, 0.2), 0.06]]
    foot += [[own.uniform(0.02, 0.15), 0.06 + pole * share] for share in (0.2, 0.4, 0.6, 0.8)] + [
        [0.02, 0.06 + pole]
    ]
    shade = np.array([[low, pole * 0.95], [high, pole * 0.95 + own.uniform(0.2, 0.42)]])
    wrap = np.concatenate([look.skin, look.skin[:, ::-1]], axis=1)
    return [
        mesh.revolution(np.array(foot), 10, [look.dark, look.second, look.main]),
        mesh.revolution(shade, 14, [look.second], skins={0: wrap}),
    ]


def _arc(
    x: float, y: float, radii: tuple[float, float], thick: float, span: tuple[float, float]
) -> np.ndarray:
    """Profile of a bent handle around (x, y) over angles `span`; anticlockwise."""
    angles = np.linspace(*span, 8)
    outer = np.column_stack([x + radii[0] * np.cos(angles), y + radii[1] * np.sin(angles)])
    inner = np.column_stack(
        [x + (radii[0] - thick) * np.cos(angles), y + (radii[1] - thick) * np.sin(angles)]
    )
    return np.vstack([outer, inner[::-1]])


def mug(shared: Rng, own: Rng, look: Look) -> list[Part]:
    """A mug with a motif or a word on it."""
    height, low, high = shared.uniform(0.7, 1.1), own.uniform(0.26, 0.38), own.uniform(0.38, 0.48)
    plain = drawing.blank(96, 96, look.main)
    motif = look.skin.copy() if own.random() < 0.5 else plain.copy()
    for _ in range(int(own.integers(1, 3))):
        at = (own.uniform(30, 66), own.uniform(30, 66))
        textures.stamp(
            motif,
            textures.glyph_outline(own),
            at,
            own.uniform(14, 30),
            hsv(own.random(), 0.8, own.uniform(0.2, 1)),
        )
    if own.random() < 0.5:
        drawing.write(
            motif, textures.word(own, 2), (12, own.uniform(8, 66), 72, 22), look.dark, int(own.integers(4))
        )
    outline = np.array(
        [
            [low, 0],
            [own.uniform(low, high), height / 2],
            [high, height],
            [high * 0.9, height],
            [high * 0.85, 0.9 * height],
        ]
    )
    wrap = np.concatenate([plain[:, 48:], motif, motif, plain[:, :48]], axis=1)
    wrap = np.concatenate([wrap[:48], wrap[48:]], axis=0)
    handle = _arc(
        high * 0.85, height * 0.5, (own.uniform(0.22, 0.4), own.uniform(0.22, 0.36)), 0.08, (-1.6, 1.6)
    )
    body = mesh.revolution(
        outline,
        16,
        [look.main, look.main, look.second, (60, 45, 40)],
        skins={0: wrap[48:], 1: wrap[:48]},
        turn=np.pi,
    )
    return [mesh.prism(handle, 0.05, [look.second], look.second), body]


def kettle(shared: Rng, own: Rng, look: Look) -> list[Part]:
    """A kettle: spout, and a handle above or behind."""
    belly, height = shared.uniform(0.4, 0.6), own.uniform(0.5, 0.9)
    outline = [
        [belly * own.uniform(0.7, 1), 0],
        [belly, height * own.uniform(0.2, 0.5)],
        [belly * own.uniform(0.5, 0.9), height * 0.8],
        [belly * 0.4, height],
        [0.06, height + 0.02],
        [own.uniform(0.05, 0.1), height + 0.1],
    ]
    start = -belly * 0.75
    spout = np.array(
        [
            [start, height * 0.3],
            [start, height * 0.55],
            [start - own.uniform(0.2, 0.4), height * own.uniform(0.8, 1.0)],
            [start - 0.35, height * 0.7],
        ]
    )
    if own.random() < 0.5:
        handle = _arc(0, height * 0.8, (belly * 0.8, own.uniform(0.35, 0.6)), 0.07, (0.1, 3.04))
    else:
        handle = _arc(belly * 0.75, height * 0.5, (own.uniform(0.25, 0.4), height * 0.45), 0.07, (-1.5, 1.5))
    wrap = np.concatenate([look.skin, look.skin[:, ::-1]], axis=1)
    return [
        mesh.prism(spout, 0.07, [look.main], look.main),
        mesh.prism(handle, 0.05, [look.dark], look.dark),
        mesh.revolution(
            np.array(outline), 14, [look.main, look.main, look.second, look.main, look.dark], skins={1: wrap}
        ),
    ]


def toaster(shared: Rng, own: Rng, look: Look) -> list[Part]:
    """A toaster with a panel of knobs."""
    wide, height, cut = own.uniform(0.7, 1.2), shared.uniform(0.5, 0.75), own.uniform(0.04, 0.25)
    half = wide / 2
    profile = np.array(
        [
            [-half, 0],
            [half, 0],
            [half, height - cut],
            [half - cut, height],
            [cut - half, height],
            [-half, height - cut],
        ]
    )
    parts = [mesh.prism(profile, 0.24, [look.main], look.second)]
    panel = look.skin.copy()
    for _ in range(int(own.integers(1, 4))):
        drawing.ellipse(
            panel, (own.uniform(15, 80), own.uniform(40, 80)), (own.uniform(5, 12),) * 2, look.dark
        )
    drawing.write(panel, textures.word(own, 2), (10, 8, 76, 18), look.dark, int(own.integers(4)))
    parts.append(
        mesh.box(
            (0, height * 0.42, 0.25), (wide * own.uniform(0.4, 0.85), height * 0.55, 0.02), look.main, [panel]
        )
    )
    for z in np.linspace(-0.1, 0.1, int(own.integers(1, 3)) + 1)[:2]:
        parts.append(mesh.box((0, height, z), ((wide - 2 * cut) * 0.85, 0.015, 0.05), (25, 22, 20)))
    parts.append(mesh.box((half + 0.04, height * own.uniform(0.4, 0.7), 0), (0.1, 0.06, 0.12), look.dark))
    return parts
