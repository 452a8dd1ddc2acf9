from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from evavos_widget import engines
from evavos_widget.cli import main
from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import write_sequence
from evavos_widget.experiments.comparison import holm
from evavos_widget.experiments.experiment import Experiment, run_loop
from evavos_widget.experiments.methods import PRESETS, Method, baseline
from evavos_widget.experiments.report import report
from evavos_widget.experiments.resampling import RESAMPLES
from evavos_widget.experiments.summary import compare, summarise, summarise_folder
from evavos_widget.experiments.table import Row, Table, read_rows
from evavos_widget.loop import AnnotationChoice, AnnotationSelector, LoopState
from evavos_widget.testing import Disks, NearestCopy
from evavos_widget.testing.scenes import Scene

STAND_INS = {
    "propagator": "evavos_widget.testing:NearestCopy",
    "predictor": "evavos_widget.testing:Disks",
}
MASKS = Method("masks", "random", "mask")
CLICKS = Method("clicks", "random", "clicks")
WORST = Method("worst", "oracle-worst", "clicks")


@pytest.fixture(scope="module")
def scene() -> AnnotatedVideo:
    scene = Scene(n_frames=12)
    return AnnotatedVideo("scene", scene.video, dict(enumerate(scene.labels)))


def rows_of(scene: AnnotatedVideo, method: Method, obj: int = 1, seed: int = 0, **options):
    experiment = Experiment("small", (method,), ".", ("scene",), **options)
    return list(run_loop(experiment, method, scene, obj, seed, NearestCopy(), Disks()))


@pytest.mark.parametrize("method", [MASKS, CLICKS, Method("both", "random", "random"), WORST])
def test_a_loop_ends_with_the_last_annotation_that_the_budget_holds(
    scene: AnnotatedVideo, method: Method
) -> None:
    budget, longer = (rows_of(scene, method, budget=b) for b in (250.0, 900.0))
    assert all(row.hours * 3600 <= 250 for row in budget)
    assert {row.budget for row in budget} == {250}
    # What the longer one has within 250 s is the same, and its next annotation is beyond.
    within = [row for row in longer if row.hours * 3600 <= 250 + 1e-6]
    assert [(r.frame, r.type, r.hours, r.jf) for r in budget] == [
        (r.frame, r.type, r.hours, r.jf) for r in within
    ]
    assert budget[-1].expected_gain == 0
    for before, after in pairwise(longer):
        assert after.hours == pytest.approx(before.hours + after.seconds / 3600)


def test_rounds_end_a_loop_that_has_seconds_left(scene: AnnotatedVideo) -> None:
    assert len(rows_of(scene, MASKS, budget=900.0, rounds=2)) == 3
    assert len(rows_of(scene, MASKS)) == 9  # eight rounds by default
    assert Experiment("x", (MASKS,), ".", ("a",), budget=900.0).most_rounds == 59


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget": 0}, "budget is 0; give seconds"),
        ({"budget": 60.0}, "budget is 60, and the first annotation of 'masks' may cost 80 s"),
    ],
)
def test_a_budget_that_holds_nothing_is_named(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Experiment("x", (MASKS,), ".", ("a",), **options)


def test_a_first_annotation_can_be_clicked(scene: AnnotatedVideo) -> None:
    clicked = rows_of(scene, replace(MASKS, first="clicks"), budget=60.0)
    assert clicked[0].type == "clicks"
    assert 2 <= clicked[0].seconds <= 16  # ten clicks and a look
    with pytest.raises(ValueError, match="first is 'box'"):
        replace(MASKS, first="box")
    with pytest.raises(ValueError, match="'halfway'"):
        replace(MASKS, merge="halfway")


class Even(AnnotationSelector):
    """Masks that are always expected to gain as much."""

    name = "even"

    def select(self, state, choice):
        return AnnotationChoice("mask", 80.0, 0.5, "as ever")


class BeginsWithClicks(Even):
    def first_type(self, state: LoopState) -> str:
        return "clicks"


def test_an_agent_decides_with_what_an_object_begins(scene: AnnotatedVideo) -> None:
    asked = Method("asked", "random", f"{__name__}:BeginsWithClicks", first="agent")
    first, second = rows_of(scene, asked, budget=150.0)[:2]
    assert (first.type, second.type) == ("clicks", "mask")
    # What cannot decide draws the mask, as the paper does.
    assert rows_of(scene, replace(CLICKS, first="agent"), budget=90.0)[0].type == "mask"
    # The dearer of the two has to fit, whatever is decided.
    with pytest.raises(ValueError, match="may cost 80 s"):
        Experiment("x", (asked,), ".", ("a",), budget=60.0)


def test_objects_of_a_video_get_frames_of_their_own(scene: AnnotatedVideo) -> None:
    frames = [[r.frame for r in rows_of(scene, MASKS, obj)] for obj in (1, 2)]
    assert frames[0][1:] != frames[1][1:]
    assert frames[0] == [r.frame for r in rows_of(scene, MASKS, 1)]


def test_what_is_expected_counts_the_frames_that_follow(
    scene: AnnotatedVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engines._registered, ("annotation_selector", "even"), Even)
    rows = rows_of(scene, Method("even", "random", "even"), rounds=5)
    n = scene.video.n_frames

    def nearest(known: list[int], frame: int) -> int:
        return min(sorted(known), key=lambda k: abs(k - frame))

    for i in range(5):
        known = [row.frame for row in rows[: i + 1]]
        more = [*known, rows[i + 1].frame]
        follow = sum(nearest(known, f) != nearest(more, f) for f in range(n))
        assert rows[i].expected_gain == pytest.approx(0.5 * follow / n / 80)


def test_an_oracle_comes_back_to_frames_and_gives_up_in_the_end(scene: AnnotatedVideo) -> None:
    frames = [row.frame for row in rows_of(scene, WORST, budget=600.0)]
    visits = np.bincount(frames[1:], minlength=scene.video.n_frames)
    assert visits.max() > 1
    assert visits.max() <= 3


def test_an_oracle_spends_nothing_on_frames_that_do_not_count(scene: AnnotatedVideo) -> None:
    for method in (WORST, Method("impact", "oracle-impact", "mask")):
        frames = {row.frame for row in rows_of(scene, method, frames="davis", rounds=10)[1:]}
        assert not frames & {0, scene.video.n_frames - 1}


def test_an_oracle_that_looks_at_the_video_gains_no_less_per_second(
    scene: AnnotatedVideo,
) -> None:
    best = Method("best", "oracle-video:12", "oracle-video")
    first, second = rows_of(scene, best, rounds=1)
    gained = (second.jf - first.jf) / second.seconds
    assert first.expected_gain == pytest.approx(gained, rel=1e-6)
    # Every frame and type by itself, tried as a loop of its own.
    for kind in ("mask", "clicks"):
        for seed in range(6):
            start, then = rows_of(scene, Method("any", "random", kind), seed=seed, rounds=1)
            assert (then.jf - start.jf) / then.seconds <= gained + 1e-9


def test_a_robot_like_a_person_stops_where_clicks_gain_nothing(scene: AnnotatedVideo) -> None:
    paper, person = (rows_of(scene, CLICKS, rounds=4, manner=m) for m in ("paper", "person"))
    assert sum(r.seconds for r in person) < sum(r.seconds for r in paper)
    with pytest.raises(ValueError, match="unknown manner 'hasty'"):
        rows_of(scene, CLICKS, manner="hasty")


# What is said of rows ---------------------------------------------------------------------


def loop(method: str, video: str, *points: tuple[float, float], seed: int = 0) -> list[Row]:
    """Rows of a loop with a budget of 100 s: (seconds, J&F) after each annotation."""
    return [
        Row(method, video, 1, seed, n, n, "x", 0, s / 3600, q, q, q, 0.0, "all", 100.0)
        for n, (s, q) in enumerate(points)
    ]


def test_equal_seconds_count_what_is_finished() -> None:
    rows = [
        *loop("quick", "a", (10, 0.5), (40, 0.9)), *loop("quick", "b", (10, 0.5), (60, 0.7)),
        *loop("slow", "a", (20, 0.5), (90, 0.9)), *loop("slow", "b", (20, 0.5)),
    ]  # fmt: skip
    summary = summarise(rows)
    assert (summary["schedule"], summary["budget"]) == ("equal-seconds", 100)
    seconds = np.arange(10, 100, 0.01) + 0.005

    def mean(*objects) -> float:
        return np.mean([
            [max((q for s, q in points if s <= t), default=0.0) for t in seconds]
            for points in objects
        ])  # fmt: skip

    quick = mean([(10, 0.5), (40, 0.9)], [(10, 0.5), (60, 0.7)])
    slow = mean([(20, 0.5), (90, 0.9)], [(20, 0.5)])
    assert summary["methods"]["quick"]["auc"] == pytest.approx(quick, abs=1e-4)
    assert summary["methods"]["slow"]["auc"] == pytest.approx(slow, abs=1e-4)
    (difference,) = summary["differences"]
    assert difference["difference"] == pytest.approx(quick - slow, abs=1e-4)
    # Two objects, and the mean is 0.8 once both have their second annotation, after 60 s each.
    assert summary["methods"]["quick"]["hours_to"]["0.80"] == pytest.approx(
        2 * 60 / 3600, abs=2 / 3600
    )
    curve = np.array(summary["methods"]["slow"]["curve"])
    assert curve[-1, :2] == pytest.approx([2 * 100 / 3600, 0.7], abs=1e-6)
    with pytest.raises(ValueError, match="is for experiments with a budget"):
        summarise([replace(row, budget=float("inf")) for row in rows], "equal-seconds")


@pytest.mark.parametrize("n", [48, 500])  # to just above an hour, and to eleven
def test_rows_say_on_disk_what_they_say_in_memory(tmp_path: Path, n: int) -> None:
    rows = []
    for video in "ab":
        points = [(80 * (i + 1), 0.5) for i in range(n - 1)] + [(80 * n, 0.9 - 1 / 3e9)]
        rows += [replace(row, budget=80.0 * n) for row in loop("m", video, *points)]
    table = Table(tmp_path, {})
    table.append(rows)
    assert sorted(table.rows()) == rows
    said = summarise(rows)
    assert said["methods"]["m"]["curve"][-1][1] == pytest.approx(0.9)
    assert summarise(table.rows()) == said
    # Tables from before have nine digits.
    short = [replace(row, hours=float(f"{row.hours:.9g}")) for row in rows]
    hours, jf, *_ = summarise(short)["methods"]["m"]["curve"][-1]
    assert (hours, jf) == pytest.approx((2 * 80 * n / 3600, 0.9))


def test_ratios_are_those_of_an_independent_computation() -> None:
    rng = np.random.default_rng(5)
    points: dict[str, dict[str, list[tuple[float, float]]]] = {"random": {}, "agent": {}}
    rows: list[Row] = []
    for method, step in (("random", 9.0), ("agent", 5.0)):
        for video in "abcdefgh":
            gains = np.cumsum(rng.uniform(0, 0.09, 10))
            points[method][video] = [(10 + step * n, 0.4 + g) for n, g in enumerate(gains)]
            rows += loop(method, video, *points[method][video])
    told = summarise(rows, against="random")["ratios"]
    assert told.keys() == {"agent"}

    drawn = np.random.default_rng(0).multinomial(8, np.full(8, 1 / 8), size=RESAMPLES)

    def seconds_to(method: str, counts: np.ndarray, target: float) -> float:
        """The first whole second at which the weighted mean is there; infinite if never."""
        for second in range(10, 101):
            total = 0.0
            for count, video in zip(counts, "abcdefgh", strict=True):
                total += count * [q for s, q in points[method][video] if s <= second + 1e-6][-1]
            if total / counts.sum() >= target:
                return second
        return np.inf

    for target in (0.75, 0.80, 0.85, 0.90):
        pairs = [
            [seconds_to(m, counts, target) for m in ("random", "agent")] for counts in drawn[:200]
        ]
        mine = np.array(pairs)
        one = np.ones(8)
        ours, theirs = (seconds_to(m, one, target) for m in ("agent", "random"))
        said = told["agent"][f"{target:.2f}"]
        if np.isfinite([ours, theirs]).all():
            assert said["known"] == "equal"
            assert said["ratio"] == pytest.approx(theirs / ours, rel=0.05)
        # Bounds of each ratio where what is not reached took more than the budget.
        lower = np.where(np.isfinite(mine[:, 1]), np.minimum(mine[:, 0], 100) / mine[:, 1], 0)
        upper = np.where(np.isfinite(mine[:, 0]), mine[:, 0] / np.minimum(mine[:, 1], 100), np.inf)
        low = np.percentile(lower, 2.5, method="lower")
        high = np.percentile(upper, 97.5, method="higher")
        assert (said["low"] or 0) == pytest.approx(low, rel=0.12, abs=0.02)
        if said["high"] is None:
            assert np.isinf(upper).mean() > 0.01
        else:
            assert said["high"] == pytest.approx(high, rel=0.15)


@pytest.mark.parametrize(
    ("random", "agent", "known", "ratio"),
    [
        (0.9, 0.9, "equal", 90 / 30),
        (0.6, 0.9, "at least", 100 / 30),
        (0.9, 0.6, "at most", 90 / 100),
        (0.6, 0.6, "nothing", None),
    ],
)
def test_what_is_not_reached_is_censored(
    random: float, agent: float, known: str, ratio: float | None
) -> None:
    rows = []
    for video in "abcdef":
        rows += loop("random", video, (10, 0.5), (90, random))
        rows += loop("agent", video, (10, 0.5), (30, agent))
    said = summarise(rows, against="random")["ratios"]["agent"]["0.85"]
    assert said["known"] == known
    assert said["ratio"] == (ratio if ratio is None else pytest.approx(ratio, rel=0.02))
    assert (said["low"] is None) == (known in ("at most", "nothing"))
    assert (said["high"] is None) == (known in ("at least", "nothing"))
    told = report(summarise(rows, against="random"))
    assert {"equal": "3.0", "nothing": "neither reaches it"}.get(known, known) in told
    alone = summarise([row for row in rows if row.video == "a"], against="random")
    assert alone["ratios"]["agent"]["0.85"]["low"] is None
    assert "None" not in report(alone)


@pytest.mark.parametrize("budget", [math.inf, 100.0])
@pytest.mark.parametrize(
    ("seconds", "known", "ratio"),
    [(0, "equal", 1), (10, "equal", 10 / 0.001)],  # nothing counts as a millisecond
)
def test_what_costs_nothing_has_a_ratio(
    seconds: float, known: str, ratio: float, budget: float
) -> None:
    rows = []
    for video in "ab":
        rows += loop("random", video, (seconds, 0.9), (2 * seconds, 0.9))
        rows += loop("agent", video, (0, 0.9), (0, 0.95))
    rows = [replace(row, budget=budget) for row in rows]
    summary = summarise(rows, against="random")
    json.dumps(summary, allow_nan=False)
    said = summary["ratios"]["agent"]["0.85"]
    objects = 2  # whose hours are counted together
    wanted = pytest.approx(ratio if seconds == 0 else objects * ratio)
    assert (said["known"], said["ratio"], said["low"], said["high"]) == (known, *[wanted] * 3)
    assert "nan" not in report(summary)


@pytest.mark.parametrize("schedule", ["round-robin", "value", "oracle"])
def test_a_resample_of_longer_videos_goes_on_to_its_own_end(schedule: str) -> None:
    rows = []
    for number, video in enumerate("abcdefghij"):
        n = 3 if number < 5 else 9
        for method, start in (("random", 0.6), ("agent", 0.62)):
            quality = np.linspace(start, 0.95, n)  # every loop gets to 0.95
            rows += loop(method, video, *((80 * (i + 1), q) for i, q in enumerate(quality)))
    rows = [replace(row, budget=math.inf) for row in rows]
    said = summarise(rows, schedule, against="random")
    spent = 10 * 6 * 80 / 3600
    assert said["until"] == pytest.approx(spent)
    for name in ("random", "agent"):
        low, high = said["hours_intervals"][name]["0.90"]
        assert 0 < low < said["methods"][name]["hours_to"]["0.90"] < high
        assert said["methods"][name]["curve"][-1][:2] == pytest.approx([spent, 0.95])
    assert max(said["hours_intervals"][name]["0.90"][1] for name in ("random", "agent")) > spent
    ratio = said["ratios"]["agent"]["0.90"]
    assert 1 < ratio["low"] < ratio["ratio"] < ratio["high"] < 1.2


def test_what_a_resample_does_not_reach_takes_more_than_its_own_hours() -> None:
    rows = []
    for number, video in enumerate("abcdef"):
        n = 2 if number < 3 else 10
        rows += loop("random", video, *((10 * (i + 1), 0.6) for i in range(n)))
        rows += loop("agent", video, (10, 0.9))
    rows = [replace(row, budget=math.inf) for row in rows]
    said = summarise(rows, against="random")["ratios"]["agent"]["0.85"]
    assert (said["known"], said["high"]) == ("at least", None)
    assert said["ratio"] == pytest.approx(6)  # 60 s on an object on average
    assert said["low"] == pytest.approx((5 * 20 + 100) / 6 / 10)  # five of six were short


@pytest.mark.parametrize("schedule", ["round-robin", "value", "oracle"])
def test_a_method_may_end_before_another_has_its_first_mask(schedule: str) -> None:
    rows = []
    for video in "ab":
        rows += loop("clicked", video, (10, 0.4), (16, 0.5))
        rows += loop("drawn", video, (80, 0.7), (160, 0.9))
    rows = [replace(row, budget=math.inf) for row in rows]
    summary = summarise(rows, schedule)
    assert summary["methods"]["drawn"]["auc"] == 0
    assert 0.4 < summary["methods"]["clicked"]["auc"] < 0.5
    assert "drawn" in report(summary)


@pytest.mark.parametrize("budget", [math.inf, 400.0])
def test_an_earlier_mask_puts_no_method_behind(budget: float) -> None:
    later = [(80, 0.8), (160, 0.9)]
    rows = []
    for video in "abcdef":
        rows += loop("later", video, *later) + loop("sooner", video, (10, 0.5), *later)
    rows = [replace(row, budget=budget) for row in rows]
    assert compare(rows, "sooner", "later")["low"] > 0
    for schedule in ("round-robin", "value", "oracle"):
        summary = summarise(rows, schedule)
        assert summary["methods"]["sooner"]["auc"] > summary["methods"]["later"]["auc"]
        # The area is until the curves end, whatever budget there was.
        assert "AUC: mean J&F until 0.27 hours" in report(summary)


def test_holm_corrects_as_holm_did() -> None:
    # 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1, which may not be below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_p_value_counts_the_ways_to_swap_two_methods() -> None:
    rows = []
    for video in "abcdefg":
        rows += loop("better", video, (10, 0.6))
        rows += loop("worse", video, (10, 0.5))
    assert compare(rows, "better", "worse")["p"] == pytest.approx(2 / 2**7)
    # One of three comparisons alone would be resolved by six videos, of three it is not.
    rows = [row for row in rows if row.video != "g"]
    rows += [row for v in "abcdef" for row in loop("best", v, (10, 0.7))]
    found = summarise(rows)["differences"]
    assert [d["p"] for d in found] == pytest.approx([2 / 64] * 3)
    assert not any(d["resolved"] for d in found)


def test_the_baseline_draws_masks_on_random_frames() -> None:
    assert baseline(PRESETS["fig3c"]) == "mask-only"
    assert baseline(PRESETS["fig3a"]) == "random"
    assert baseline(PRESETS["types"]) is None
    assert baseline([replace(MASKS, first="clicks")]) is None


def test_a_baseline_that_has_not_begun_keeps_no_report_back(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    table = Table(tmp_path, {"methods": [asdict(MASKS), asdict(CLICKS)]})
    for video in "ab":
        table.append(loop(CLICKS.name, video, (10, 0.5), (40, 0.9)))
    assert main(["report", str(tmp_path)]) == 0
    told = json.loads((tmp_path / "summary.json").read_text())
    assert told["baseline"] is None
    assert told["unfinished"] == f"without {MASKS.name}, of which no loop is finished"
    assert "The experiment is not complete: without" in (tmp_path / "report.md").read_text()
    for video in "ab":
        table.append(loop(MASKS.name, video, (80, 0.9)))
    assert main(["report", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "summary.json").read_text())["baseline"] == MASKS.name
    told = json.loads((tmp_path / "summary.json").read_text())
    assert told["unfinished"] is None
    about = {"methods": [asdict(MASKS), asdict(CLICKS)], "seeds": 2, "sequences": ["a", "b", "c"]}
    (tmp_path / "manifest.json").write_text(json.dumps(about))
    assert MASKS.has_chance  # of which no object has both runs
    assert main(["report", str(tmp_path)]) == 1
    assert "no object yet that every method has finished" in capsys.readouterr().err
    for method in (MASKS, CLICKS):
        table.append([replace(row, seed=1) for row in loop(method.name, "a", (80, 0.9))])
    assert main(["report", str(tmp_path)]) == 0
    told = json.loads((tmp_path / "summary.json").read_text())
    assert told["objects"] == 1
    assert told["unfinished"] == (
        "without what some method has not finished (1 object) and what was not begun (1 video)"
    )
    about["objects"] = {"a": [1, 2], "b": [1], "c": [1, 2]}  # older experiments do not tell them
    (tmp_path / "manifest.json").write_text(json.dumps(about))
    assert summarise_folder(tmp_path)["unfinished"] == (
        "without what some method has not finished (1 object) and what was not begun (3 objects)"
    )
    (tmp_path / "manifest.json").write_text('{"name": "an app"}')
    capsys.readouterr()
    assert main(["report", str(tmp_path)]) == 1
    assert "tells of no methods" in capsys.readouterr().err


def test_the_command_takes_a_budget_and_prints_the_tables_again(
    scene: AnnotatedVideo, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write_sequence(tmp_path / "data", scene, range(4))
    about = {"generator": "crowd", "videos": {"scene": {"level": "easy", "side": "test"}}}
    (tmp_path / "data/dataset.json").write_text(json.dumps(about))
    config, out = tmp_path / "mine.toml", tmp_path / "out"
    config.write_text(
        f'data = "{tmp_path / "data"}"\nsequences = ["scene"]\nseeds = 1\nbudget = 900\n'
        f'propagator = "{STAND_INS["propagator"]}"\npredictor = "{STAND_INS["predictor"]}"\n'
        'first = "clicks"\n'
        '[[methods]]\nname = "drawn"\nframe = "random"\nannotation = "mask"\nfirst = "mask"\n'
        '[[methods]]\nname = "clicked"\nframe = "random"\nannotation = "clicks"\n'
    )
    command = ["experiment", "--config", str(config), "--workers", "1", "--out", str(out)]
    assert main([*command, "--budget", "170"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Synthetic videos: crowd, easy (test side)")
    rows = read_rows(out)
    assert all(row.hours * 3600 <= 170 for row in rows)
    assert {(row.method, row.type) for row in rows if row.round == 0} == {
        ("drawn", "mask"), ("clicked", "clicks")
    }  # fmt: skip
    summary = json.loads((out / "summary.json").read_text())
    assert set(summary["methods"]["drawn"]) == {"auc", "curve", "hours_to"}
    assert set(summary["ratios"]) == {"clicked"}
    for name in ("summary.json", "report.md", "curves.png"):
        (out / name).unlink()
    assert main(["report", str(out)]) == 0
    assert capsys.readouterr().out in told
    assert json.loads((out / "summary.json").read_text()) == summary
    page = tmp_path / "results.md"
    page.write_text("# Results\n<!-- report out -->\nold\n<!-- end -->\nthe end\n")
    for _ in range(2):
        assert main(["report", str(out), "--into", str(page)]) == 0
    told = (out / "report.md").read_text()
    assert page.read_text() == (
        f"# Results\n<!-- report out -->\n\n{told}\n<!-- end -->\nthe end\n"
    )
    assert main(["report", str(out), "--into", str(config)]) == 1
    assert "no place for the report of 'out'" in capsys.readouterr().err
    open_ended = page.read_text().replace("<!-- end -->\nthe end\n", "prose\n<!-- report b -->\n")
    page.write_text(f"{open_ended}old\n<!-- end -->\n")
    assert main(["report", str(out), "--into", str(page)]) == 1
    assert "no place for the report of 'out'" in capsys.readouterr().err
    assert page.read_text() == f"{open_ended}old\n<!-- end -->\n"
    some, alone = tmp_path / "some", ["report", str(out), "--methods", "clicked"]
    assert main(alone) == 1
    assert "needs --out" in capsys.readouterr().err
    assert main([*alone, "--out", str(some)]) == 0
    told = json.loads((some / "summary.json").read_text())
    assert told["methods"] == {"clicked": summary["methods"]["clicked"]}
    assert not told["differences"]
    assert json.loads((out / "summary.json").read_text()) == summary
    assert main([*alone[:-1], "clicks", "--out", str(some)]) == 1
    assert "no method 'clicks'; choose from ['drawn', 'clicked']" in capsys.readouterr().err
