"""Equation 1 against every pair of frames, and QNet against its own arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from evavos_widget.frame_selection.embeddings import distances
from evavos_widget.frame_selection.qnet import QNetEquation1, QNetSelector, shown
from evavos_widget.loop import Annotation, Source
from evavos_widget.masks import LabelMaps
from evavos_widget.networks.agent_weights import write_agent
from evavos_widget.networks.encoders_of_pairs import as_arrays, pictures
from evavos_widget.networks.qnet import QNet
from evavos_widget.testing.selectors import _state
from tests.small_records import records


@pytest.mark.parametrize("known", [[3], [0, 4, 9], list(range(10))])
def test_it_is_the_distance_to_the_closest_known_frame(known):
    points = np.random.default_rng(0).normal(size=(10, 6)).astype(np.float32)
    points[7] = points[0]
    slow = [min(np.linalg.norm(points[i] - points[j]) for j in known) for i in range(10)]
    np.testing.assert_allclose(distances(points, known), slow, atol=1e-6)


@pytest.fixture(scope="module")
def qnet(tmp_path_factory):
    from evavos_widget.training.agents.qnet import train_qnet

    folder = tmp_path_factory.mktemp("qnet")
    train_qnet(records(), folder, epochs=1)
    return str(folder / "qnet.safetensors")


def test_qnet_chooses_by_it(qnet):
    selector, state = QNetEquation1(qnet), _state({0: (3, 200), 5: (3,), 7: (200,)})
    choice = selector.select(state)
    best = []
    for obj, known in ((3, [0, 5]), (200, [0, 7])):
        points = selector.embeddings(state, obj)
        apart = np.linalg.norm(points[:, None] - points[known][None], axis=2).min(axis=1)
        best.append((apart.max(), obj, int(apart.argmax())))
    score, obj, frame = max(best)
    assert choice is not None
    assert (choice.object, choice.frame) == (obj, frame)
    assert choice.score == pytest.approx(score, rel=1e-4)


def test_what_ships_adds_time_and_asks_where_the_object_shows(qnet):
    selector, state = QNetSelector(qnet), _state({0: (3, 200), 5: (3,), 7: (200,)})
    choice = selector.select(state)
    best = []
    for obj, known in ((3, [0, 5]), (200, [0, 7])):
        score = np.zeros(state.n_frames)
        for points in (selector.embeddings(state, obj), np.arange(9.0)[:, None]):
            apart = np.linalg.norm(points[:, None] - points[None], axis=2)
            pairs = [apart[i, j] for i in range(9) for j in range(i)]
            score += apart[:, known].min(axis=1) / np.mean(pairs)
        pixels = np.array([(state.masks[f] == obj).sum() for f in range(9)])
        score *= 0.25 + 0.75 * np.minimum(1, pixels / np.median(pixels[pixels > 0]))
        best.append((score.max(), obj, int(score.argmax())))
    score, obj, frame = max(best)
    assert choice is not None
    assert (choice.object, choice.frame) == (obj, frame)
    assert choice.score == pytest.approx(score, rel=1e-4)


def test_where_nothing_looks_otherwise_time_decides_and_a_lost_object_is_still_asked_for(qnet):
    selector, state = QNetSelector(qnet), _state({0: (3, 200)})
    selector.embeddings = lambda state, obj: np.ones((state.n_frames, 4), np.float32)
    masks = state.masks.replace({f: np.zeros_like(state.masks[f]) for f in range(1, 9)})
    assert selector.select(replace(state, masks=masks)).frame == 8
    masks = state.masks.replace({f: np.zeros_like(state.masks[f]) for f in range(5, 9)})
    assert selector.select(replace(state, masks=masks)).frame == 4  # a half as far, and it shows


@pytest.mark.parametrize("rule", [QNetSelector, QNetEquation1])
def test_where_every_frame_is_annotated_the_least_trusted_is_asked_for_again(qnet, rule):
    state = _state(dict.fromkeys(range(9), (3, 200)))
    trust = [1, 0.7, 0.8, 0.4, 0.9, 0.3, 0.6, 1, 1]
    annotations = {
        f: Annotation(a.labels, a.objects, {3: Source("clicked", trust[f]), 200: Source()})
        for f, a in state.annotations.items()
    }
    state = replace(state, annotations=annotations)
    selector, asked = rule(qnet), []
    for _ in range(3):
        choice = selector.select(replace(state, snoozed=frozenset((f, 3) for f in asked)))
        assert choice.object == 3
        asked.append(choice.frame)
    assert asked == [5, 3, 6]


def test_what_shows_is_a_share_of_the_usual_pixels():
    labels = np.zeros((5, 4, 10), np.uint8)
    for frame, n in enumerate((0, 2, 4, 4, 8)):
        labels[frame, 1, :n] = 255
        labels[frame, 2] = 7  # another object's pixels do not count
    masks = LabelMaps.from_array(labels)
    np.testing.assert_allclose(shown(masks, 255), [0.25, 0.625, 1, 1, 1])
    np.testing.assert_array_equal(shown(masks, 3), [0.25] * 5)


def test_only_frames_that_changed_are_embedded_again(qnet):
    selector, state = QNetSelector(qnet), _state({0: (3, 200)})
    first = selector.embeddings(state, 3)
    seen, look = [], selector._seen
    selector._seen = lambda state, some, obj: (seen.extend(some), look(state, some, obj))[1]
    quality = state.quality.copy()
    quality[4, 0] = 0.123
    moved = np.roll(state.masks[6], 3, axis=1)
    changed = replace(state, quality=quality, masks=state.masks.replace({6: moved}))
    second = selector.embeddings(changed, 3)
    assert seen == [4, 6]
    same = [f for f in range(9) if f not in seen]
    np.testing.assert_array_equal(first[same], second[same])
    assert not np.array_equal(first[6], second[6])


def test_its_quality_is_a_quality(qnet):
    quality = QNetSelector(qnet).quality(_state({0: (3, 200)}), 3)
    assert quality.shape == (9,)
    assert ((quality >= 0) & (quality <= 1)).all()


def test_the_paper_s_two_resnets_choose_by_it_too(tmp_path):
    network = QNet("paper").eval()
    about = {"agent": "qnet", "preset": "paper", "bins": 20, "encoder": "resnet18"}
    write_agent(tmp_path / "paper.safetensors", about, as_arrays(network))
    selector, state = QNetEquation1(str(tmp_path / "paper.safetensors")), _state({0: (3, 200)})
    points = selector.embeddings(state, 3)
    assert points.shape == (9, 1024)
    choice = selector.select(state)
    assert choice is not None
    known = distances(selector.embeddings(state, choice.object), [0])
    assert choice.frame == int(known.argmax())
    scene_image, mask = state.video.frame(2), state.masks[2] == 3
    seen, shown = (torch.from_numpy(p)[None] for p in pictures(scene_image, mask))
    with torch.no_grad():
        own = network.embed(seen, shown)[0].numpy()
    np.testing.assert_allclose(points[2], own, rtol=0.05, atol=0.05)  # half precision
