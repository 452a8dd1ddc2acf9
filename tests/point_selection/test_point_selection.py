"""Which points are proposed: where, how many, how far apart, in which order."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from evavos_widget import engines
from evavos_widget.metrics import VOID
from evavos_widget.point_selection.at_random import Random
from evavos_widget.point_selection.largest_effect import LargestEffect
from evavos_widget.point_selection.proposals import localise, propose
from evavos_widget.point_selection.regions import Regions
from evavos_widget.point_selection.sampling import Spaced, spaced_frames
from evavos_widget.point_selection.simulated import simulated_points
from evavos_widget.points import REGIONS
from evavos_widget.session import Session
from evavos_widget.testing import (
    BrokenPromiseError,
    Disks,
    NearestCopy,
    check_point_selector,
)
from evavos_widget.testing.scenes import Scene
from evavos_widget.video import Video

H, W = 240, 320


def video(seed: int = 0) -> Video:
    frames = np.random.default_rng(seed).integers(100, 140, (3, H, W, 3), dtype=np.uint8)
    return Video.open(frames, name="clip")


def ramp() -> np.ndarray:
    """Background on the left, foreground on the right, a narrow uncertain band between."""
    p = np.zeros((H, W), np.float32)
    p[:, 150:] = np.linspace(0, 1, 20, dtype=np.float32).repeat([*[1] * 19, W - 169])
    return p


def apart(points: list[tuple[int, int]]) -> float:
    return min(np.hypot(a[0] - b[0], a[1] - b[1]) for a, b in combinations(points, 2))


@pytest.mark.parametrize("name", engines.names("point_selector"))
def test_conformance(name):
    check_point_selector(name)


def test_the_check_finds_what_is_wrong():
    class Twice(Random):
        def select(self, video, probabilities):
            return 2 * super().select(video, probabilities)

    class Outside(Random):
        def select(self, video, probabilities):
            from dataclasses import replace

            return [replace(c, x=c.x + 60) for c in super().select(video, probabilities)]

    for engine, promise in ((Twice, "no-pixel-twice"), (Outside, "inside-the-picture")):
        with pytest.raises(BrokenPromiseError) as raised:
            check_point_selector(engine)
        assert raised.value.promise == promise


def test_random_gives_7_10_3_in_batches_apart_from_each_other():
    p = ramp()
    found = Random(seed=3).select(video(), {0: p, 2: p})
    assert Counter(c.region for c in found) == {"foreground": 14, "background": 20, "uncertain": 6}
    order = [(REGIONS.index(c.region), c.frame) for c in found]
    assert order == sorted(order)
    for frame in (0, 2):
        assert apart([(c.x, c.y) for c in found if c.frame == frame]) >= 20
    for c in found:
        expected = {"foreground": p >= 0.9, "background": p <= 0.1}
        assert expected.get(c.region, (p > 0.1) & (p < 0.9))[c.y, c.x]
    assert found == Random("3").select(video(), {0: p, 2: p})
    assert found != Random(4).select(video(), {0: p, 2: p})
    one, two = ([(c.x, c.y) for c in found if c.frame == f] for f in (0, 2))
    assert one != two


def test_as_many_as_fit_and_a_scaled_distance():
    small = np.zeros((H, W), np.float32)
    small[100:108, 100:108] = 1
    found = Random().select(video(), {0: small})
    assert Counter(c.region for c in found) == {"foreground": 1, "background": 10}
    half = Random(scaled=True).select(video(), {0: small})  # 10 px at 240 rows
    assert Counter(c.region for c in half)["foreground"] >= 1
    crowded = Random(regions=Regions(foreground=0, background=9999, uncertain=0))
    wide, narrow = (
        [
            (c.x, c.y)
            for c in Random(regions=crowded.regions, scaled=s).select(video(), {0: 0 * small})
        ]
        for s in (False, True)
    )
    assert apart(wide) >= 20 > apart(narrow) >= 10
    assert len(narrow) > 3 * len(wide)
    # Nothing more fits: every pixel is within 20 px of a point.
    y, x = np.mgrid[:H, :W]
    nearest = np.min([np.hypot(x - a, y - b) for a, b in wide], axis=0)
    assert nearest.max() < 20


def test_options_that_make_no_sense_are_refused():
    for options in ({"low": 0.9, "high": 0.1}, {"foreground": -1}, {"high": 1.1}):
        with pytest.raises(ValueError, match="give"):
            Regions(**options)
    with pytest.raises(ValueError, match="distance"):
        Random(distance=float("nan")).select(video(), {0: ramp()})
    with pytest.raises(ValueError, match="frames"):
        spaced_frames(9, 0)


def test_spaced_frames():
    assert spaced_frames(70) == [0, 8, 15, 23, 31, 38, 46, 54, 61, 69]
    assert spaced_frames(4) == [0, 1, 2, 3]
    assert spaced_frames(1) == [0]


def test_the_largest_effect_is_that_of_the_largest_doubtful_region():
    """Two objects the propagator is unsure of, one four times the size of the other."""
    image = np.full((H, W, 3), (40, 90, 40), np.uint8)
    p = np.zeros((H, W), np.float32)
    for rows, columns, doubt in (
        (slice(20, 100), slice(20, 100), 0.6),
        (slice(150, 190), slice(200, 240), 0.6),
        (slice(20, 100), slice(200, 280), 0.99),
    ):
        image[rows, columns] = (200, 60, 60)
        p[rows, columns] = doubt
    found = LargestEffect(per_frame=6).select(Video.open(image[None], name="clip"), {0: p})
    effects = [c.effect for c in found]
    assert effects == sorted(effects, reverse=True)
    first = found[0]
    assert 20 <= first.x < 100
    assert 20 <= first.y < 100
    assert first.region == "uncertain"
    # 0.4 of 6400 pixels are wrong, and one answer cannot decide more.
    assert 0.3 * 6400 * 0.4 < first.effect <= 1.05 * 6400 * 0.4
    assert any(150 <= c.y < 190 and 200 <= c.x < 240 for c in found[:4])
    assert apart([(c.x, c.y) for c in found]) >= 20
    assert LargestEffect().select(Video.open(image[None], name="clip"), {0: (p > 0.5) * 1.0}) == []


def test_simulated_points_are_on_their_objects():
    scene = Scene(25, 120, 200, (3, 200))
    masks = dict(enumerate(scene.labels))
    found = simulated_points(masks, (3, 200), background=4, distance=6, seed=1)
    assert {f for f, _ in found} <= set(spaced_frames(25))
    for (frame, obj), points in found.items():
        for p in points:
            assert (masks[frame][p.y, p.x] == obj) == (p.label == "positive")
        assert apart([(p.x, p.y) for p in points]) >= 6
        assert sum(p.label == "positive" for p in points) <= 10
    assert found == simulated_points(masks, (3, 200), background=4, distance=6, seed=1)
    assert found != simulated_points(masks, (3, 200), background=4, distance=6, seed=2)
    every = simulated_points(masks, (3,), frames=None, distance=6)
    assert {f for f, _ in every} == {f for f, m in masks.items() if (m == 3).any()}


def test_every_video_has_simulated_points_of_its_own():
    masks = {0: np.ones((60, 60), np.uint8)}
    found = [
        simulated_points(masks, (1,), seed=3, distance=4, video=video)
        for video in ("", "a", "b", "a", "caf\udce9")
    ]
    assert found[1] == found[3]
    assert found[0] == simulated_points(masks, (1,), seed=3, distance=4)
    assert all(found[i] != found[j] for i, j in combinations((0, 1, 2, 4), 2))


def test_farthest_points_are_spread_wider_than_random_ones():
    region = np.zeros((H, W), bool)
    region[40:200, 40:280] = True

    def spread(how: str) -> float:
        return apart(Spaced((H, W), np.random.default_rng(0), 20).draw(region, 8, how))

    assert spread("farthest-point") > 1.5 * spread("random")
    with pytest.raises(ValueError, match="choose from"):
        spread("nearest")


@pytest.mark.parametrize("given", ["clicks", "box", "mask"])
def test_from_a_localisation_to_proposals(given):
    scene = Scene(12, 96, 160, (3, 200))
    predictor = "classical" if given == "box" else Disks()
    session = Session(scene.video, path=None, propagator=NearestCopy(), predictor=predictor)
    session.add_object("one")
    first = session.add_object("two")
    truth = scene.labels[5] == 3
    ys, xs = np.nonzero(truth)
    how = {
        "clicks": {"clicks": [(xs[len(xs) // 2], ys[len(ys) // 2], True)]},
        "box": {"box": (xs.min(), ys.min(), xs.max(), ys.max())},
        "mask": {"mask": truth},
    }
    with pytest.raises(ValueError, match="no frame yet"):
        propose(session, first)
    with pytest.raises(ValueError, match="or else its mask"):
        localise(session, 5, first)
    mask = localise(session, 5, first, **how[given])
    assert session.annotations[5].present == {first}
    found = propose(session, first, selector=Random(distance=4), frames=4)
    assert {c.frame for c in found} == set(spaced_frames(12, 4))
    for c in found:
        assert mask[c.y, c.x] == (c.region == "foreground")


@pytest.mark.parametrize("seed", [0, 1])
def test_no_simulated_point_is_on_void(seed: int) -> None:
    masks = np.full((60, 60), VOID, np.uint8)
    masks[:20], masks[20:40, :30] = 1, 0
    ((_, points),) = simulated_points(
        {0: masks}, [1], n=5, background=5, distance=4, seed=seed
    ).items()
    assert [p.label for p in points] == ["positive"] * 5 + ["negative"] * 5
    assert all(masks[p.y, p.x] == (p.label == "positive") for p in points)


@pytest.mark.parametrize("wrong", [{"n": -1}, {"background": -3}])
def test_no_negative_number_of_points_is_simulated(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="give a whole number, 0 or more"):
        simulated_points({0: np.ones((9, 9), np.uint8)}, [1], **wrong)


def test_a_name_that_is_no_unicode_has_points_of_its_own() -> None:
    """Folders may have such names, as Python hands them over."""
    frames = np.zeros((1, H, W, 3), np.uint8)
    found = [
        Random().select(Video.open(frames, name=name), {0: ramp()})
        for name in ("caf\udce9", "cafe", "caf\udce9")
    ]
    assert found[0] == found[2] != found[1]
