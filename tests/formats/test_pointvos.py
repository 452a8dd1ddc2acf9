"""The released format of Point-VOS: what goes round, and what others' files may look like."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest

from evavos_widget.formats import pointvos
from evavos_widget.formats.pointvos import NAMESPACE, PointObject, PointRecord, read, write
from evavos_widget.formats.sparse_points import read_sparse, sparse_labels, write_sparse
from evavos_widget.points import Point
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestCopy

STATUS = ("ACCEPTED", "REJECTED", "AMBIGUOUS")


def generated(n: int, points: int = 12):
    """Objects with all that the format allows: no video, no frame, other scripts, our own key."""
    rng = np.random.default_rng(0)
    for i in range(n):
        records = tuple(
            PointRecord(
                int(rng.integers(1920)),
                17 * j,
                None if (i + j) % 29 == 0 else f"{13 * (j // 4):06d}",
                STATUS[int(rng.integers(3))],
                bool(rng.integers(2)),
                {NAMESPACE: {"region": "uncertain", "seconds": 0.25 * j}} if j % 3 else {},
            )
            for j in range(points)
        )
        yield PointObject(
            f"{i:032x}",
            'Wer wirft "das Ei" {nach} dem Mann? \u5375 \\',
            f"egg {i}",
            None if i % 31 == 0 else f"train/Fail! - {i} \n",
            records,
            {NAMESPACE: {"n": [i, {"a": None}]}, "somebody's": "field"} if i % 2 else {},
        )


@pytest.mark.parametrize("name", ["train.json", "train.jsonl"])
def test_ten_thousand_objects_go_round_identical(tmp_path, name):
    first, second = tmp_path / name, tmp_path / f"again-{name}"
    assert write(generated(10_000), first) == 10_000
    read_back = list(read(first, pytest.fail))
    assert read_back == list(generated(10_000))
    write(read_back, second)
    assert second.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("name", ["train.json", "train.jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path, name):
    def peak(n: int) -> int:
        write(generated(n, 40), tmp_path / name)
        tracemalloc.start()
        assert sum(1 for _ in read(tmp_path / name, pytest.fail)) == n
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(1200) < 1.3 * peak(300) + 2**18


def test_other_peoples_layout_is_read(tmp_path):
    first, second = generated(2)
    content = {o.question_hash: pointvos._as_json(o) for o in (first, second)}
    for indent, separators in ((4, None), (None, (",", ":"))):
        (tmp_path / "a.json").write_text(json.dumps(content, indent=indent, separators=separators))
        assert list(read(tmp_path / "a.json", pytest.fail)) == [first, second]
    for name in ("a.json", "a.jsonl"):  # as editors of Windows save it
        write([first, second], tmp_path / name)
        (tmp_path / name).write_text((tmp_path / name).read_text(), encoding="utf-8-sig")
        assert list(read(tmp_path / name, pytest.fail)) == [first, second]


def broken_entries():
    good = [pointvos._as_json(o) for o in generated(8)]
    texts = [json.dumps(o) for o in good]
    texts[1] = texts[1].replace('"x": ', '"x": oops', 1)  # no JSON
    texts[2] = json.dumps({**good[2], "question_hash": "f" * 32})
    texts[3] = json.dumps({k: v for k, v in good[3].items() if k != "annotated_points"})
    points = good[4]["annotated_points"]
    points[0] = {**points[0], "status": "MAYBE"}
    points[1] = {**points[1], "x": 3.5}
    points[3] = {**points[2]}
    texts[4] = json.dumps(good[4])
    texts[5] = "[]"
    texts[6] = texts[6][:-30]  # cut off
    return [f'"{i:032x}": {text}' for i, text in enumerate(texts)]


@pytest.mark.parametrize("name", ["train.json", "train.jsonl"])
def test_what_is_malformed_is_told_by_line_and_key_and_the_rest_is_read(tmp_path, name):
    entries = broken_entries()
    if name.endswith("l"):
        text = "".join(f"{{{entry}}}\n" for entry in entries)
    else:
        text = "{" + ",\n".join(entries) + "}"
    path = tmp_path / name
    path.write_text(text)
    told: list[str] = []
    found = list(read(path, told.append))
    assert [int(o.question_hash, 16) for o in found] == [0, 4, 7]
    assert len(found[1].points) == 9
    for line in (2, 3, 4, 6, 7):
        (about,) = [t for t in told if f"line {line}" in t]
        assert f"{line - 1:032x}" in about
    assert sum("line 5" in t and "point" in t for t in told) == 3


def test_a_key_that_comes_twice_and_a_file_that_ends_early(tmp_path):
    path, told = tmp_path / "train.json", []
    write(generated(3), path)
    whole = path.read_text()
    path.write_text(whole.replace(f"{2:032x}", f"{1:032x}"))
    assert len(list(read(path, told.append))) == 2
    assert "second time" in told[0]
    assert "line 4" in told[0]
    path.write_text(whole[:-300])
    told.clear()
    assert len(list(read(path, told.append))) == 2
    assert f"{2:032x}" in told[0]
    path.write_text("[1, 2]")
    with pytest.warns(UserWarning, match="no JSON object"):
        assert list(read(path)) == []


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "train.json"
    write(generated(2), path)
    before = path.read_bytes()

    def failing():
        yield from generated(1)
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        write(failing(), path)
    assert path.read_bytes() == before


def test_sparse_pictures(tmp_path):
    points = (Point(3, 0, "negative"), Point(0, 2, "positive"), Point(7, 5, "unknown"))
    assert sparse_labels(points, 6, 8)[5, 7] == 0
    labels = sparse_labels(points, 6, 8, ambiguous=True)
    assert (labels[0, 3], labels[2, 0], labels[5, 7]) == (1, 2, 255)
    assert (labels > 0).sum() == 3
    records = (
        PointRecord(3, 0, "000004", "REJECTED", True),
        PointRecord(0, 2, "000004", "ACCEPTED", False),
        PointRecord(7, 5, "000004", "AMBIGUOUS", False),
        PointRecord(1, 1, None, "ACCEPTED", False),
    )
    found = PointObject("a" * 32, "", "egg", "v", records)
    (path,) = write_sparse(found, tmp_path, 6, 8, ambiguous=True)
    assert path == tmp_path / ("a" * 32) / "000004.png"
    assert read_sparse(path) == points
    with pytest.raises(ValueError, match="outside"):
        write_sparse(found, tmp_path, 4, 8, ambiguous=True)
    outside = PointObject("a" * 32, "", "egg", "v", (PointRecord(0, 0, "../x", "ACCEPTED", True),))
    with pytest.raises(ValueError, match="name of a file"):
        write_sparse(outside, tmp_path, 6, 8)


def test_a_session_exports_its_points(tmp_path):
    frames = np.zeros((4, 16, 20, 3), np.uint8)
    session = Session(frames, path=tmp_path / "s", propagator=NearestCopy(), predictor=Disks())
    session.add_object("egg")
    session.add_object("man")
    session.label_points(2, 2, [Point(5, 6, "negative", "foreground"), (1, 2, "positive")])
    session.label_points(0, 2, [(9, 9, "unknown", "uncertain")])
    session.close()
    session = Session.open(tmp_path / "s", frames, propagator=NearestCopy(), predictor=Disks())
    (found,) = read(session.export("pointvos", tmp_path / "points"), pytest.fail)
    assert found.object_name == "man"
    assert [(p.frame_id, p.x, p.y, p.status, p.is_fg_candidate) for p in found.points] == [
        (session.video.frame_names[0], 9, 9, "AMBIGUOUS", False),
        (session.video.frame_names[2], 5, 6, "REJECTED", True),
        (session.video.frame_names[2], 1, 2, "ACCEPTED", True),
    ]
    assert found.points[0].extra == {NAMESPACE: {"region": "uncertain"}}
    session.close()
