"""Video Localized Narratives and SA-V masklets: real records, and damaged ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco

from evavos_widget.formats import sav, vidln
from evavos_widget.masks import to_coco

DATA = Path(os.environ.get("EVAVOS_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not (DATA / "vidln").is_dir(), reason=f"no real data in {DATA}")


def record(**changes):
    """Two words with a stroke each; the second stroke runs over three key frames and a pause."""
    words = [("the", 0, 3, 100), ("dog", 4, 7, 200), ("sees", 8, 12, 300), ("cats", 13, 17, 400)]

    def stroke(points):
        return [
            {"x": x, "y": y, "time_ms_since_epoch": 1000 + t, "kf_idx": k} for x, y, t, k in points
        ]

    narrative = {
        "actor_name": "Dog",
        "caption": "the dog sees cats",
        "noun_segments": [[4, 7], [13, 17]],
        "recording_start_time_ms_since_epoch": 1000,
        "time_alignment": [
            {
                "referenced_word": word,
                "referenced_word_start_idx": a,
                "referenced_word_end_idx": b,
                "start_ms": t,
                "end_ms": t + 50,
            }
            for word, a, b, t in words
        ],
        "traces": [
            stroke(
                [(0.1, 0.1, 150, 0), (0.2, 0.2, 210, 0), (0.3, 0.2, 260, 0), (0.9, 0.9, 310, 0)]
            ),
            [],
            stroke(
                [(0.5, 0.5, 390, 0), (0.5, 0.5, 405, 1), (0.6, 0.5, 450, 1), (0.6, 0.6, 460, 1)]
            ),
            stroke([(0.0, 0.0, 500, 0), (1.0, 1.0, 501, 0), (0.7, 0.7, 9000, 2)]),
        ],
    }
    whole = {
        "vidln_id": 7,
        "dataset_id": "X",
        "video_id": "v",
        "keyframe_names": ["a", "b", "c"],
        "actor_narratives": [narrative, {**narrative, "actor_name": "background"}],
    }
    return {**whole, **changes}


def written(folder, *records):
    path = folder / "v.jsonl"
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in records))
    return path


def test_a_noun_lasts_until_the_next_word_begins(tmp_path):
    (found,) = vidln.read(written(tmp_path, record()), pytest.fail)
    segments = vidln.trace_segments(found.actors[0], (4, 7))
    assert list(segments) == [0]
    np.testing.assert_allclose(segments[0][0], [[0.2, 0.2], [0.3, 0.2]])
    last = vidln.trace_segments(found.actors[0], (13, 17))
    assert {k: [len(s) for s in strokes] for k, strokes in last.items()} == {1: [3], 0: [2], 2: [1]}
    assert vidln.trace_segments(found.actors[0], (3, 4)) == {}


def test_the_key_frame_is_that_of_the_largest_area_not_of_the_longest_line(tmp_path):
    (found,) = vidln.read(written(tmp_path, record()), pytest.fail)
    dog, cats = vidln.localisations(found)
    assert (dog.noun, dog.frame_name, dog.area) == ("dog", "a", 0)
    assert (cats.noun, cats.keyframe, cats.frame_name) == ("cats", 1, "b")
    assert cats.area == pytest.approx(0.005)
    (scribble,) = cats.scribbles(100, 201)
    np.testing.assert_allclose(scribble.points[0], [100, 49.5])
    assert len(list(vidln.localisations(found, background=True))) == 4
    (only,) = vidln.localisations(found, nouns=lambda caption: [(caption.index("cats"), 17)])
    assert only.noun == "cats"


def test_damaged_records_are_told_by_line_and_the_rest_is_read(tmp_path):
    broken = record()
    broken["actor_narratives"][0]["traces"][0][0]["kf_idx"] = 3
    beyond = record()
    beyond["actor_narratives"][0]["noun_segments"] = [[4, 70]]
    told: list[str] = []
    path = written(tmp_path, record(), "{", broken, "", beyond, record(vidln_id=None), record())
    assert len(list(vidln.read(path, told.append))) == 2
    assert [line in text for line, text in zip(("2", "3", "5", "6"), told, strict=True)] == [
        True
    ] * 4


def test_spacy_says_how_to_install_it():
    try:
        import spacy

        spacy.load("en_core_web_sm")
    except (ImportError, OSError):
        with pytest.raises(ImportError, match=r"evavos-widget\[vidln\]"):
            vidln.spacy_nouns("the dog sees cats")
    else:
        assert vidln.spacy_nouns("the dog sees cats") == ((4, 7), (13, 17))


@needs_data
@pytest.mark.parametrize("name", ["OVIS_train_sample", "oops_train_sample"])
def test_the_nouns_of_real_narratives_have_places(name):
    records = list(vidln.read(DATA / "vidln" / f"{name}.jsonl", pytest.fail))
    assert len(records) == 3
    for one in records:
        nouns = sum(len(a.nouns) for a in one.actors if a.actor != "background")
        found = list(vidln.localisations(one))
        assert len(found) >= 0.8 * nouns
        for place in found:
            assert place.frame_name == one.keyframe_names[place.keyframe]
            for scribble in place.scribbles(480, 854):
                assert (scribble.points >= 0).all()
                assert (scribble.points <= [853, 479]).all()


@needs_data
@pytest.mark.parametrize(("kind", "objects"), [("manual", 5), ("auto", 9)])
def test_real_masklets_are_masks_on_every_fourth_frame(kind, objects):
    found = sav.read(DATA / "sav" / f"sav_000001_{kind}.json")
    raw = json.loads((DATA / "sav" / f"sav_000001_{kind}.json").read_text())
    assert (len(found), len(found.ids), max(found)) == (121, objects, 480)
    masks = found[200]
    assert masks.shape == (objects, 848, 480)
    for k in range(objects):
        np.testing.assert_array_equal(masks[k], coco.decode(raw["masklet"][50][k]))
    labels = found.labels(200)
    for k in range(objects):
        assert (labels == k + 1).any() == masks[k].any()
    with pytest.raises(KeyError):
        found[201]


def test_of_two_masklets_that_overlap_the_smaller_is_seen_and_damage_is_told(tmp_path):
    large, small = np.ones((6, 8), bool), np.zeros((6, 8), bool)
    small[2:4, 2:4] = True
    content = {
        "video_id": "v",
        "video_height": 6.0,
        "video_width": 8.0,
        "masklet_id": [0, 3],
        "masklet": [[to_coco(large), to_coco(small)]],
    }
    path = tmp_path / "v_manual.json"
    path.write_text(json.dumps(content))
    labels = sav.read(path).labels(0)
    assert (labels == 4).sum() == 4
    assert (labels == 1).sum() == 44
    for change in ({"masklet": [[]]}, {"masklet_id": []}, {"video_height": "tall"}):
        path.write_text(json.dumps({**content, **change}))
        with pytest.raises(ValueError, match="no masklets of SA-V"):
            sav.read(path)
    path.write_text(json.dumps({**content, "video_height": 10**6}))
    with pytest.raises(ValueError, match="damaged"):
        sav.read(path)[0]
