"""Many videos under one budget: the order, the memory, the restart, the certainty."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from evavos_widget import engines
from evavos_widget.annotation_selection.baselines import Mask
from evavos_widget.campaign import Campaign, MeanError, Standing
from evavos_widget.campaign.folder import CampaignFolder
from evavos_widget.campaign.standing import standing_of
from evavos_widget.engines import identity
from evavos_widget.explanation import TypeExplanation
from evavos_widget.loop import AnnotationChoice, AnnotationSelector
from evavos_widget.prompts import Costs
from evavos_widget.propagation.compact import CompactPropagator
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session
from evavos_widget.suggestion import first_seconds
from evavos_widget.testing import Disks, NearestCopy
from evavos_widget.video import Video

N = 12


def clip(speed: int, seed: int = 0) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """A square of 8 x 8 that moves so many pixels a frame beside one that looks the same."""
    frames = np.random.default_rng(seed).integers(0, 60, (N, 24, 64, 3), dtype=np.uint8)
    truth = {}
    for f in range(N):
        labels = np.zeros((24, 64), np.uint8)
        x = min(f * speed, 56)
        labels[2:10, x : x + 8] = 1
        labels[14:22, 0:8] = 2
        frames[f][labels > 0] = 200
        truth[f] = labels
    return frames, truth


def options() -> dict:
    return {"propagator": NearestCopy(), "predictor": Disks(), "annotation_selector": "mask"}


SPEEDS = {"still": 0, "slow": 1, "fast": 4}


@pytest.fixture
def clips() -> dict[str, tuple[np.ndarray, dict[int, np.ndarray]]]:
    return {name: clip(speed, seed) for seed, (name, speed) in enumerate(SPEEDS.items())}


def begun(clips, tmp_path: Path, **more) -> tuple[Campaign, dict[str, RobotAnnotator]]:
    robots = {name: RobotAnnotator(truth) for name, (_, truth) in clips.items()}
    videos = {name: frames for name, (frames, _) in clips.items()}
    return Campaign(videos, tmp_path / "c", **{**options(), "target": 1.0, **more}), robots


class TrueQuality(Mask):
    """Knows how fast each made video moves, as a policy would learn from its look."""

    name = "true-quality"

    def explain(self, state, choice):
        value = float(SPEEDS.get(state.video.name, 0))
        return TypeExplanation({"mask": 1.0}, value=value)


def test_new_videos_go_first_and_then_the_one_that_promises_most(clips, tmp_path):
    videos = {n: Video.open(frames, name=n) for n, (frames, _) in clips.items()}
    robots = {name: RobotAnnotator(truth) for name, (_, truth) in clips.items()}
    with Campaign(
        videos, tmp_path / "c", **{**options(), "annotation_selector": TrueQuality()}, target=1.0
    ) as campaign:
        chosen = [campaign.turn(robots.__getitem__).video for _ in range(5)]
        assert sorted(chosen[:3]) == sorted(SPEEDS)
        assert chosen[3:] == ["fast", "fast"]
        assert campaign.standing("fast").basis == "value"
        assert [t["video"] for t in campaign.turns] == chosen
        assert (
            campaign.turns[-1]["spent"]
            == campaign.seconds
            == sum(t["seconds"] for t in campaign.turns)
        )


def test_a_gain_of_the_frame_counts_for_the_frames_that_follow_it(clips, tmp_path):
    campaign, robots = begun(clips, tmp_path)
    with campaign:
        for _ in clips:
            campaign.turn(robots.__getitem__)
        standing = campaign.standing("fast")
        # Frame 0 is annotated and frame 11 is the farthest: 6 to 11 would follow it.
        assert standing.frame == N - 1
        asked = campaign.session("fast").suggest()
        assert standing.gain == pytest.approx(asked.expected_gain * 6 / N)
        assert standing.rate == pytest.approx(standing.gain / 80)
        assert standing.basis == "frame"


class Counting(Mask):
    """Values a state by the objects that it is shown."""

    name = "counting"

    def explain(self, state, choice):
        return TypeExplanation({"mask": 1.0}, value=float(len(state.objects)))


@pytest.mark.parametrize("locked", [1, 2])
def test_a_locked_object_promises_nothing(clips, tmp_path, locked):
    campaign, robots = begun(clips, tmp_path, annotation_selector=Counting())
    with campaign:
        session = campaign.session("slow")
        robots["slow"].begin_all(session)
        session.propagate()
        assert campaign.standing("slow").rate == 2
        session.update_object(locked, locked=True)
        assert (campaign.standing("slow").rate, campaign.standing("slow").object) == (1, 3 - locked)


@pytest.mark.parametrize("absent", [False, True])
def test_an_object_that_is_to_be_begun_promises_what_a_first_mask_does(clips, tmp_path, absent):
    """No selector judges it, since none is asked; of a policy that tells values it goes first."""
    videos = {n: Video.open(frames, name=n) for n, (frames, _) in clips.items()}
    robots = {name: RobotAnnotator(truth) for name, (_, truth) in clips.items()}
    there = {**options(), "annotation_selector": TrueQuality()}
    with Campaign(videos, tmp_path / "c", **there, target=1.0) as campaign:
        robots["fast"].begin_all(campaign.session("fast"))
        session = campaign.session("slow")
        for obj in (session.add_object(), session.add_object()):
            frames = range(N) if obj == 1 else ()
            for frame in frames:
                session.annotate(frame, clips["slow"][1][frame] == 1, objects=[1])
        if absent:
            session.mark_absent(0, [2])
        for name in ("fast", "slow"):
            campaign.session(name).propagate()
        campaign.finish("still")
        slow = campaign.standing("slow")
        first = campaign.standing("fast").predicted
        if absent:  # what is known of slow counts as well
            first = np.median([first, slow.predicted])
        assert (slow.object, slow.status, slow.basis) == (2, "open", "first")
        assert (slow.gain, slow.rate) == pytest.approx((first, first / 80))
        assert (slow.sure is None) == (not absent)
        assert campaign.standing("fast").basis == "value"
        assert campaign.next().video == "slow"


def test_round_robin_gives_every_video_its_turn(clips, tmp_path):
    campaign, robots = begun(clips, tmp_path, order="round-robin")
    with campaign:
        chosen = [campaign.turn(robots.__getitem__).video for _ in range(6)]
        assert chosen == [*SPEEDS, *SPEEDS]


def test_a_video_without_an_object_is_finished(clips, tmp_path):
    """Whether a person says so on every frame, or whoever begins finds none."""
    campaign, _ = begun(clips, tmp_path)
    with campaign:
        said, found, *_ = clips
        session = campaign.session(said)
        session.mark_absent(0, [session.add_object()])
        session.propagate()
        assert campaign.standing(said).status == "open"
        for frame in range(1, session.video.n_frames):
            session.mark_absent(frame, [1])
        session.propagate()
        assert campaign.standing(said).status == "finished"
        nothing = {f: m * 0 for f, m in clips[found][1].items()}
        while campaign.next().video != found:
            campaign.finish(campaign.next().video)
        campaign.turn(lambda name: RobotAnnotator(nothing))
        assert campaign.standing(found).status == "finished"


def test_the_budget_ends_it(clips, tmp_path):
    campaign, robots = begun(clips, tmp_path, budget=400, target=1.0)  # each first mask is 2 x 80 s
    with campaign:
        while campaign.turn(robots.__getitem__):
            assert campaign.seconds <= 400 + 80  # a new video has two objects, and one was foreseen
        assert campaign.next() is None
        assert campaign.seconds >= 400 - 80


def test_few_sessions_are_open_at_a_time_and_a_held_one_stays(clips, tmp_path):
    many = {f"{name}-{k}": c for k in range(4) for name, c in clips.items()}
    campaign, robots = begun(many, tmp_path, open_sessions=2, order="round-robin")
    with campaign:
        opened: list[Session] = []
        held = campaign.session("still-0")
        campaign.hold("still-0")
        for name in many:
            session = campaign.session(name)
            if session.state.annotations == {}:
                robots[name].begin_all(session)
            opened.append(session)
            assert sum(not s.closed for s in opened) <= 2
            assert not held.closed
        # Another one may be held beside it, and let go of without it.
        let_go = campaign.hold("still-1")
        let_go()
        let_go()
        for name in list(many)[-3:]:
            campaign.session(name)
        assert not held.closed
        # What was closed is known without opening it again.
        before = [s for s in opened if not s.closed]
        assert {s.status for s in campaign.standings()} == {"open"}
        assert [s for s in opened if not s.closed] == before
        # The first one that was let go of is whole.
        assert campaign.session("slow-0").seconds == 160


def test_a_change_in_the_session_is_seen(clips, tmp_path):
    campaign, robots = begun(clips, tmp_path)
    told = []
    with campaign:
        session = campaign.session("slow")
        assert campaign.standing("slow").status == "new"
        campaign.subscribe(lambda: told.append(1))
        robots["slow"].begin_all(session)
        session.propagate()
        assert told
        standing = campaign.standing("slow")
        assert (standing.status, standing.seconds, standing.rounds) == ("open", 160, 2)
        session.undo()
        assert campaign.standing("slow").rounds == 1


def test_what_reached_its_target_is_not_asked_for(clips, tmp_path):
    campaign, robots = begun(clips, tmp_path, target=0.0, error=MeanError(0.0, 0.1, 5))
    with campaign:
        for _ in clips:
            assert campaign.turn(robots.__getitem__) is not None
        assert campaign.next() is None
        assert {s.status for s in campaign.standings()} == {"reached"}
        assert all(s.sure > 0.99 for s in campaign.standings())
        for what, wrong in {"target": "0.8", "certainty": 1.2, "budget": float("nan")}.items():
            with pytest.raises(ValueError, match=f"{what} is .*; give"):
                setattr(campaign, what, wrong)
        assert campaign.next() is None
        campaign.target = 1.0
        assert campaign.next() is not None
        campaign.finish("fast")
        assert campaign.standings()[-1].video == "fast"
    videos = {name: frames for name, (frames, _) in clips.items()}
    with Campaign(videos, tmp_path / "c", target=1.0, **options()) as again:
        assert again.standing("fast").status == "finished"
        again.finish("fast", False)
        assert again.standing("fast").status == "open"


@pytest.mark.parametrize(
    ("error", "predicted", "sure"),
    [
        (MeanError(0.0, 0.1, 9), 0.85, 0.5),
        (MeanError(0.0, 0.1, 9), 0.95, 0.8413),
        (MeanError(-0.1, 0.1, 9), 0.95, 0.5),
        (MeanError(0.0, 0.0, 9), 0.84, 0.0),
    ],
)
def test_how_sure_it_is_of_a_target(error, predicted, sure):
    assert error.reaches(predicted, 0.85) == pytest.approx(sure, abs=1e-3)


def test_certainty_is_as_often_right_as_it_says():
    """Videos whose truth lies around the prediction as was measured."""
    rng = np.random.default_rng(3)
    error = MeanError(-0.02, 0.06, 30)
    predicted = rng.uniform(0.6, 1.0, 20_000)
    true = predicted + rng.normal(error.bias, error.deviation, len(predicted))
    sure = np.array([error.reaches(p, 0.85) for p in predicted])
    for low in np.arange(0, 1, 0.2):
        inside = (sure >= low) & (sure < low + 0.2)
        assert (true[inside] >= 0.85).mean() == pytest.approx(sure[inside].mean(), abs=0.03)


KILLED = """
import sys
import threading
import numpy as np
from pathlib import Path
sys.path.insert(0, {here!r})
from test_campaign import Campaign, RobotAnnotator, clip, options
videos = {{f"v{{k}}": clip(k % 4, k) for k in range(10)}}
robots = {{n: RobotAnnotator(t) for n, (_, t) in videos.items()}}
campaign = Campaign({{n: f for n, (f, _) in videos.items()}}, "here", **options(), target=1.0)
while True:
    chosen = campaign.turn(robots.__getitem__)
    print(chosen.video, campaign.seconds, flush=True)
"""


@pytest.mark.parametrize("as_video", [False, True])
def test_a_list_of_pictures_is_opened_again_from_wherever(tmp_path, monkeypatch, as_video):
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    names = [f"pictures/{n}.png" for n in (3, 1, 2)]
    for n, name in enumerate(names):
        Image.fromarray(np.full((24, 32, 3), 40 * n, np.uint8)).save(name)
    given = Video.open(names) if as_video else [Path(name) for name in names]
    Campaign({"few": given}, tmp_path / "here", **options()).close()
    monkeypatch.chdir("/")
    with Campaign.open(tmp_path / "here", **options()) as campaign:
        session = campaign.session("few")
        assert [int(frame[0, 0, 0]) for frame in map(session.video.frame, range(3))] == [0, 40, 80]


@pytest.mark.parametrize("costs", [None, Costs(mask=12.0)])
def test_what_annotations_cost_is_kept(clips, tmp_path, costs):
    campaign, _ = begun(clips, tmp_path, **({} if costs is None else {"costs": costs}))
    with campaign:
        before = campaign.standings()
    videos = {name: frames for name, (frames, _) in clips.items()}
    with Campaign.open(campaign.path, videos, **options()) as again:
        assert again.standings() == before
        assert again.session("slow").costs == (costs or Costs())
    with Campaign.open(campaign.path, videos, **options(), costs=Costs(mask=30.0)) as again:
        assert again.session("slow").costs.mask == again.next().cost == 30


@pytest.mark.parametrize(
    ("what", "said"),
    [("target", 0.9), ("certainty", 0.5), ("budget", 7200.0), ("order", "round-robin")],
)
@pytest.mark.parametrize("how", ["set", "made again", "opened"])
def test_what_a_campaign_is_changed_to_holds_after_a_restart(clips, tmp_path, what, said, how):
    """As by a kill: nothing is closed, and nothing finished."""
    campaign, _ = begun(clips, tmp_path, budget=3600)
    campaign.finish("slow")
    videos = {name: frames for name, (frames, _) in clips.items()}
    told = []
    campaign.subscribe(lambda: told.append(getattr(campaign, what)))
    if how == "set":
        setattr(campaign, what, said)
        assert told == [said]
    elif how == "made again":
        begun(clips, tmp_path, **{what: said})
    else:
        Campaign.open(campaign.path, videos, **options(), **{what: said})
    with Campaign.open(campaign.path, videos, **options()) as again:
        assert getattr(again, what) == said
        assert again.standing("slow").status == "finished"
        assert {s.status for s in again.standings()} == {"new", "finished"}


def test_what_is_opened_as_it_was_is_not_written_again(clips, tmp_path):
    campaign, _ = begun(clips, tmp_path, costs=Costs(mask=12.0), frame_selector="uniform")
    campaign.finish("slow")
    written = campaign.path / "campaign.json"
    before = written.stat().st_mtime_ns
    begun(clips, tmp_path, costs=Costs(mask=12.0), frame_selector="uniform")
    videos = {name: frames for name, (frames, _) in clips.items()}
    Campaign.open(campaign.path, videos, **options())
    assert written.stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="there is no order 'best'"):
        campaign.order = "best"
    assert campaign.order == "value"


def test_ten_videos_go_through_a_kill(tmp_path):
    """Nothing that was told is lost, and the campaign goes on with what it would have done."""
    script = KILLED.format(here=str(Path(__file__).parent))
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    told = [process.stdout.readline().split() for _ in range(13)]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    videos = {f"v{k}": clip(k % 4, k) for k in range(10)}
    with pytest.raises(ValueError, match="'v0' was given as an array"):
        Campaign.open(tmp_path / "here")
    with Campaign.open(
        tmp_path / "here", {n: f for n, (f, _) in videos.items()}, **options()
    ) as campaign:
        assert campaign.target == 1.0
        assert campaign.seconds >= float(told[-1][1])
        assert all(campaign.standing(video).rounds >= 2 for video, _ in told)
        robots = {n: RobotAnnotator(t) for n, (_, t) in videos.items()}
        assert campaign.turn(robots.__getitem__) is not None


def test_paths_hold_wherever_the_process_goes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames, truth = clip(1)
    for name in ("one", "two"):
        (tmp_path / "clips" / name).mkdir(parents=True)
        for n, frame in enumerate(frames):
            Image.fromarray(frame).save(tmp_path / "clips" / name / f"{n:05d}.png")
    with Campaign("clips", "campaign", propagator="flow", predictor="classical") as campaign:
        monkeypatch.chdir("/")
        RobotAnnotator(truth).begin_all(campaign.session("two"))
    assert (tmp_path / "campaign" / "two.evavos" / "journal.jsonl").exists()
    content = json.loads((tmp_path / "campaign" / "campaign.json").read_text())
    assert content["options"]["propagator"] == "flow"
    with Campaign.open(tmp_path / "campaign") as again:
        assert again.videos == ("one", "two")
        assert again.session("two").propagator.name == "flow"
        assert again.standing("two").rounds == 2


def test_a_copy_of_what_is_known_is_only_a_copy(clips, tmp_path):
    campaign, robots = begun(clips, tmp_path)
    with campaign:
        campaign.turn(robots.__getitem__)
    (tmp_path / "c" / "standings.json").write_text('{"still": []}')
    again, _ = begun(clips, tmp_path)
    with again:
        assert sum(s.status == "open" for s in again.standings()) == 1
    # A session that was changed elsewhere is looked at again.
    [name] = [s.video for s in again.standings() if s.status == "open"]
    frames = clips[name][0]
    with Session(frames, path=tmp_path / "c" / f"{name}.evavos", **options()) as session:
        session.annotate(5, clips[name][1][5], objects=[1, 2])
    third, _ = begun(clips, tmp_path)
    with third:
        assert third.standing(name).rounds == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"order": "best"}, "there is no order 'best'"),
        ({"target": 85}, "target is 85"),
        ({"budget": -5}, "budget is -5; give seconds, 0 or more"),
        ({"budget": float("nan")}, "budget is nan"),
        ({"budget": float("inf")}, "budget is inf; give seconds"),
        ({"target": "0.8"}, "target is '0.8'; give 0 to 1"),
        ({"certainty": None}, "certainty is None; give 0 to 1"),
        ({"budget": "3600"}, "budget is '3600'; give seconds, 0 or more, or None"),
        ({"open_sessions": "2"}, "open_sessions is '2'; give a whole number"),
        ({"open_sessions": 0}, "open_sessions is 0"),
        ({"costs": {"mask": 25}}, "costs is {'mask': 25}; give Costs"),
        ({"error": (0.0, 0.1, 3)}, "error is .*; give MeanError"),
        ({"propogator": "flow"}, "a session has no option 'propogator'; choose from"),
        ({"propagator": "flo"}, "there is no propagator 'flo'; choose from"),
        ({"annotation_selector": "mine"}, "there is no annotation selector 'mine'; choose"),
        ({"first": "box"}, "first is 'box'; choose from"),
        ({"merge": "best"}, "'best'"),
        ({"path": "x"}, "multiple values|campaign's to say"),
    ],
)
def test_what_is_wrong_is_told(clips, tmp_path, change, said):
    with pytest.raises((ValueError, TypeError), match=said):
        begun(clips, tmp_path, **change)
    assert not (tmp_path / "c").exists()  # so that nothing wrong is opened again


@pytest.mark.parametrize(
    ("videos", "path", "said"),
    [
        (None, "c", "videos is NoneType; give a folder of videos, a list, or"),
        (np.zeros((2, 8, 8, 3), np.uint8), "c", "videos is ndarray; give a folder"),
        (Video.open(np.zeros((2, 8, 8, 3), np.uint8)), "c", "videos is Video; give a folder"),
        ([], "c", "there are no videos; give"),
        ({"a": "a.mp4"}, "file", "file' is a file, or lies in one, and a campaign is a folder"),
        ({"a": "a.mp4"}, "file/c", "file/c' is a file, or lies in one"),
        ({"a": "a.mp4"}, None, "path is None; give the folder of the campaign"),
    ],
    ids=range(7),
)
def test_what_is_no_campaign_is_told(tmp_path, videos, path, said):
    (tmp_path / "file").write_text("mine")
    with pytest.raises((ValueError, TypeError, OSError), match=said):
        Campaign(videos, path and tmp_path / path, **options())
    assert (tmp_path / "file").read_text() == "mine"


def test_what_is_a_video_in_a_folder(tmp_path):
    """Files by their name, and picture files of several pages; a picture alone is none."""
    pages = [Image.new("L", (8, 6), shade) for shade in (0, 90, 180)]
    (tmp_path / "v/frames").mkdir(parents=True)
    for name in ("cells.tif", "loop.gif", "moving.png", "round.webp"):
        pages[0].save(tmp_path / "v" / name, save_all=True, append_images=pages[1:])
    for name in ("poster.png", "poster.tif", "still.gif"):
        pages[1].save(tmp_path / "v" / name)
    for name in ("clip.MP4", "phone.3gp", "notes.txt", ".hidden.mp4"):
        (tmp_path / "v" / name).write_bytes(b"")
    campaign = Campaign(tmp_path / "v", tmp_path / "c", **options())
    assert campaign.videos == ("cells", "clip", "frames", "loop", "moving", "phone", "round")
    assert campaign.video("cells").n_frames == campaign.video("moving").n_frames == 3
    campaign.close()


def test_other_videos_do_not_take_a_campaign_over(clips, tmp_path):
    begun(clips, tmp_path)[0].close()
    with pytest.raises(ValueError, match="3 other videos"):
        begun({"other": clips["slow"]}, tmp_path)
    one_more = {**clips, "other": clips["slow"]}
    one_more.pop("fast")
    with pytest.raises(ValueError, match="which is without 'other' and has also 'fast'; give"):
        begun(one_more, tmp_path)
    with pytest.raises(ValueError, match="two videos are called"):
        Campaign(["a/clip.mp4", "b/clip.mp4"], tmp_path / "d")
    with pytest.raises(KeyError, match="no video 'none'"):
        begun(clips, tmp_path)[0].session("none")
    with pytest.raises(KeyError, match="no video 'none'"):
        begun(clips, tmp_path)[0].hold("none")


def test_standings_are_in_the_order_to_go_on(clips, tmp_path):
    campaign, robots = begun(clips, tmp_path)
    with campaign:
        for _ in range(4):
            campaign.turn(robots.__getitem__)
        standings = campaign.standings()
        assert all(isinstance(s, Standing) for s in standings)
        assert [s.rate for s in standings] == sorted((s.rate for s in standings), reverse=True)
        assert campaign.table()[0]["video"] == campaign.next().video


def test_what_another_session_did_on_its_folder_is_known(clips, tmp_path):
    frames, truth = clips["slow"]
    videos = {name: frames for name, (frames, _) in clips.items()}
    campaign, _ = begun(clips, tmp_path)
    with campaign:
        mine = campaign.session("slow")
        assert campaign.standing("slow").rounds == 0
        other = Session.open(campaign.path / "slow.evavos", frames, **options())
        assert mine.closed
        other.annotate(0, truth[0] == 1, objects=[other.add_object()])
        other.propagate()
        assert campaign.standing("slow").rounds == 1
        assert campaign.seconds == pytest.approx(80)
        assert not other.closed  # nobody took it away to look
        other.close()
        assert len(campaign.session("slow").rounds) == 1
        assert campaign.standing("slow").rounds == 1
    with Campaign(videos, tmp_path / "c", **options(), target=1.0) as again:
        assert again.standing("slow").rounds == 1


def test_what_another_session_did_is_known_where_the_campaign_had_let_go(clips, tmp_path):
    campaign, robots = begun(clips, tmp_path, open_sessions=1)
    frames, truth = clips["slow"]
    with campaign:
        for name in ("slow", "still"):
            robots[name].begin_all(campaign.session(name))
            campaign.session(name).propagate()
        assert campaign.standing("slow").rounds == 2
        with Session.open(campaign.path / "slow.evavos", frames, **options()) as other:
            other.annotate(N - 1, truth[N - 1] == 1, objects=[1])
            assert campaign.standing("slow").rounds == 3
            before = campaign.standing("slow").predicted
            other.propagate()
            assert campaign.standing("slow").predicted == pytest.approx(other.quality.mean())
            assert campaign.standing("slow").predicted > before
            other.undo()
            assert campaign.standing("slow").rounds == 2
            other.redo()
        # What is written down of the others is not stamped as new.
        campaign.session("fast").add_object()
        assert campaign.seconds == pytest.approx(5 * 80)
    again, _ = begun(clips, tmp_path)
    with again:
        assert again.standing("slow").rounds == 3


def test_to_look_takes_no_session_away(clips, tmp_path):
    frames, truth = clips["slow"]
    folder = tmp_path / "c" / "slow.evavos"
    with Session(frames, path=folder, **options()) as other:
        other.annotate(0, truth[0] == 1, objects=[other.add_object()])
        other.propagate()
        campaign, _ = begun(clips, tmp_path)
        with campaign:
            assert campaign.standing("slow").rounds == 1
            # What it says of a first mask counts as if the session were the campaign's.
            new = campaign.standing("fast").gain
            assert new == pytest.approx(campaign.standing("slow").predicted)
        assert not other.closed


def test_what_is_known_is_not_looked_up_again(clips, tmp_path, monkeypatch):
    looks = []
    monkeypatch.setattr(
        "evavos_widget.campaign.campaign.standing_of",
        lambda name, session: looks.append(name) or standing_of(name, session),
    )
    campaign, robots = begun(clips, tmp_path, open_sessions=1)
    with campaign:
        for _ in clips:
            campaign.turn(robots.__getitem__)
        before = campaign.standings()
        looks.clear()
        assert campaign.standings() == before
    again, _ = begun(clips, tmp_path)
    with again:
        assert again.standings() == before
        again.session("slow")
        assert again.standings() == before
    assert not looks


def test_what_other_selectors_would_do_is_asked_of_them(clips, tmp_path):
    for kind in ("mask", "clicks", "mask"):
        campaign, robots = begun(clips, tmp_path, annotation_selector=kind)
        with campaign:
            if not campaign.session("slow").rounds:
                robots["slow"].begin_all(campaign.session("slow"))
                campaign.session("slow").propagate()
            assert campaign.standing("slow").kind == kind
            assert campaign.session("slow").suggest().kind == kind


class Always(AnnotationSelector):
    """Asks for one type, whichever it was made with."""

    name = "always"

    def __init__(self, kind: str = "mask", hear=None) -> None:
        self.kind, self.hear = kind, hear

    def select(self, state, choice):
        return AnnotationChoice(self.kind, state.costs.seconds(self.kind), 0.1, "always")


class AlsoAlways(Always):
    """Another engine that is called as the first."""

    def select(self, state, choice):
        return replace(super().select(state, choice), kind="points")


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (lambda: Always("mask"), lambda: Always("clicks"), "clicks"),
        (lambda: Always("mask"), lambda: AlsoAlways("mask"), "points"),
        # What cannot be written down may be anything.
        (lambda: Always("mask", lambda: 0), lambda: Always("clicks", lambda: 0), "clicks"),
    ],
    ids=["made otherwise", "another class", "with a function"],
)
def test_engines_of_one_name_are_not_taken_for_each_other(clips, tmp_path, one, other, kind):
    for selector, asked in ((one, "mask"), (other, kind), (one, "mask")):
        campaign, robots = begun(clips, tmp_path, annotation_selector=selector())
        with campaign:
            if not campaign.session("slow").rounds:
                robots["slow"].begin_all(campaign.session("slow"))
                campaign.session("slow").propagate()
            assert campaign.standing("slow").kind == asked


def test_weights_tell_engines_of_one_name_apart():
    free, davis = CompactPropagator("free"), CompactPropagator("davis")
    assert free.name == davis.name
    assert identity(free) != identity(davis)
    assert identity("compact:free") == "compact:free"


def test_a_campaign_may_be_kept_among_its_videos(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.new("RGB", (32, 24)).save(tmp_path / name / f"{i:05d}.png")
    for _ in range(2):
        with Campaign(tmp_path, tmp_path / "clips.campaign", **options()) as campaign:
            assert campaign.videos == ("one", "two")


def test_a_video_that_begins_with_clicks_costs_them(clips, tmp_path):
    campaign, _ = begun(clips, tmp_path, first="clicks", budget=40.0)
    with campaign:
        assert campaign.next().kind == "clicks"
        assert campaign.next().cost == first_seconds(Costs(), "clicks") < 40
        campaign.session("still").add_object()
        assert {(s.kind, s.cost) for s in campaign.standings()} == {("clicks", 16.0)}
    campaign, _ = begun(clips, tmp_path / "masks", budget=40.0)
    with campaign:
        assert campaign.next() is None


class BeginsShortOnesWithClicks(Always):
    """An agent that begins with what the video says."""

    name = "short"

    def first_type(self, state) -> str:
        return "clicks" if state.n_frames < N else "mask"


@pytest.mark.parametrize("registered", [False, True])
def test_an_agent_prices_a_video_that_was_not_opened(clips, tmp_path, monkeypatch, registered):
    given: Any = BeginsShortOnesWithClicks()
    if registered:
        monkeypatch.setitem(engines._registered, ("annotation_selector", "short"), type(given))
        given = "short"
    videos = {"long": clips["still"][0], "short": clips["fast"][0][:-2]}
    there = {**options(), "annotation_selector": given, "first": "agent", "budget": 40.0}
    for _ in range(2):  # and after a restart, from what was kept
        with Campaign(videos, tmp_path / "c", **there) as campaign:
            assert not (campaign.path / "short.evavos").exists()
            known = {s.video: (s.kind, s.cost) for s in campaign.standings()}
            assert known == {"short": ("clicks", 16.0), "long": ("mask", 80.0)}
            assert campaign.next().video == "short"
    campaign.session("short").add_object()
    assert campaign.standing("short").kind == campaign.session("short").suggest().kind == "clicks"
    campaign.close()


class SlowToBegin(BeginsShortOnesWithClicks):
    """One that is asked, and waits over the first video."""

    name = "slow-to-begin"

    def __init__(self, asked: list[str], gate: threading.Event | None = None) -> None:
        super().__init__()
        self.asked, self.gate, self.waits = asked, gate, threading.Event()

    def first_type(self, state) -> str:
        self.asked.append(state.video.name)
        self.waits.set()
        if self.gate is not None and state.video.name == self.asked[0]:
            assert self.gate.wait(120)
        return super().first_type(state)


def agents_campaign(clips, tmp_path: Path, asked: list[str], **more) -> Campaign:
    videos = {name: Video.open(frames, name=name) for name, (frames, _) in clips.items()}
    chosen = {**options(), "annotation_selector": SlowToBegin(asked, **more), "first": "agent"}
    return Campaign(videos, tmp_path / "c", **chosen)


def test_nobody_waits_while_an_agent_prices_videos(clips, tmp_path):
    asked: list[str] = []
    gate = threading.Event()
    campaign = agents_campaign(clips, tmp_path, asked, gate=gate)
    selector = campaign._options["annotation_selector"]
    told: list[list[Standing]] = []
    threads = [
        threading.Thread(target=lambda: told.append(campaign.standings()), daemon=True)
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    assert selector.waits.wait(60)
    # Each of these is done before the first video has its price.
    assert [s.kind for s in campaign.standings(wait=False)] == ["mask"] * 3
    assert campaign.next(wait=False).kind == "mask"
    assert campaign.video("slow").name == "slow"
    campaign.hold("slow")
    session = campaign.session("slow")
    session.add_object()
    campaign.finish("fast")
    assert campaign.seconds == 0
    assert not told
    gate.set()
    for thread in threads:
        thread.join(120)
    assert len(told) == 2
    assert asked.count("still") == 1  # the second waited for the first
    assert "fast" not in asked  # finished meanwhile
    campaign.close()


def test_what_an_agent_begins_with_is_asked_once_and_kept_at_once(clips, tmp_path, monkeypatch):
    asked: list[str] = []
    monkeypatch.setitem(
        engines._registered,
        ("annotation_selector", "slow-to-begin"),
        type("Named", (SlowToBegin,), {"__init__": lambda self: SlowToBegin.__init__(self, asked)}),
    )
    videos = {name: Video.open(frames, name=name) for name, (frames, _) in clips.items()}
    there = {**options(), "annotation_selector": "slow-to-begin", "first": "agent"}
    campaign = Campaign(videos, tmp_path / "c", **there)
    pricing = campaign.pricing()
    assert next(pricing) == "still" == asked[-1]
    pricing.close()  # as a kill would
    with Campaign(videos, tmp_path / "c", **there) as again:
        assert again.standing("slow").kind == "mask"
        assert asked == ["still", "slow"]  # one is asked for, and one is priced
        assert len(again.standings()) == 3
        again.next()
        assert again.seconds == 0
    with Campaign(videos, tmp_path / "c", **there) as third:
        third.standings()
    assert asked == ["still", "slow", "fast"]


def test_to_close_a_campaign_opens_no_video(clips, tmp_path):
    asked: list[str] = []
    agents_campaign(clips, tmp_path, asked).close()
    assert not asked


def test_a_video_that_cannot_be_opened_keeps_no_agent_from_the_others(clips, tmp_path):
    videos = {"lost": tmp_path / "none.mp4", "short": clips["fast"][0][:-2]}
    selector = BeginsShortOnesWithClicks()
    there = {**options(), "annotation_selector": selector, "first": "agent"}
    with Campaign(videos, tmp_path / "c", **there) as campaign:
        assert campaign.next().video == "short"
        assert campaign.standing("lost").status == "failed"
        with pytest.raises(FileNotFoundError):
            campaign.session("lost")


def test_the_agent_that_ships_prices_clicks(clips, tmp_path):
    there = {"annotation_selector": "joint", "first": "agent"}
    campaign, _ = begun(clips, tmp_path, **there)
    with campaign:
        assert {s.kind for s in campaign.standings()} == {"clicks"}
        assert campaign.session("slow").first_type == "clicks"


def test_objects_that_were_added_before_a_restart_are_begun_after_it(clips, tmp_path):
    campaign, robots = begun(clips, tmp_path)
    with campaign:
        campaign.session("still").add_object()
    campaign, robots = begun(clips, tmp_path)
    with campaign:
        assert campaign.turn(robots.__getitem__).status == "new"
        session = campaign.session("still")
        assert [o.id for o in session.objects] == [1, 2]
        assert session.annotations[0].objects == {1, 2}


def test_who_hears_of_a_change_may_ask_while_another_thread_opens_videos(clips, tmp_path):
    campaign, _ = begun(clips, tmp_path, open_sessions=1)
    session = campaign.session("still")
    changing, closing = threading.Event(), threading.Event()
    told = []

    def hear() -> None:
        changing.set()
        assert closing.wait(60)
        told.append(campaign.standing("fast").status)

    def close(self: Session) -> None:
        closing.set()
        real(self)

    real = Session.close
    threads = [
        threading.Thread(target=session.add_object, daemon=True),
        threading.Thread(target=lambda: campaign.session("slow"), daemon=True),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "close", close)
        stop = campaign.subscribe(hear)
        threads[0].start()
        assert changing.wait(60)
        threads[1].start()
        for thread in threads:
            thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    assert told == ["new"]
    stop()
    assert session.closed
    assert campaign.session("still").objects
    campaign.close()


def test_standings_of_another_version_are_found_out_anew(clips, tmp_path, monkeypatch):
    campaign, robots = begun(clips, tmp_path)
    with campaign:
        campaign.turn(robots.__getitem__)
    with begun(clips, tmp_path)[0] as campaign:
        kept = campaign._folder.standings()
        (name,) = kept
        assert kept[name].stamp == campaign._folder.stamp(name)
    monkeypatch.setattr("evavos_widget.campaign.campaign.VERSION", "99")
    with begun(clips, tmp_path)[0] as campaign:
        assert kept[name].stamp != campaign._folder.stamp(name)


def files(clips, folder: Path) -> dict[str, Path]:
    """The clips as folders of frames, and one of a single frame."""
    for name, (frames, _) in {**clips, "single": (clips["slow"][0][:1], {})}.items():
        (folder / name).mkdir(parents=True)
        for f, frame in enumerate(frames):
            Image.fromarray(frame).save(folder / name / f"{f:03d}.png")
    return {path.name: path for path in sorted(folder.iterdir())}


def test_a_video_that_is_gone_keeps_no_other_from_work(clips, tmp_path):
    videos = files(clips, tmp_path / "videos")
    robots = {name: RobotAnnotator(truth) for name, (_, truth) in clips.items()}
    robots["single"] = RobotAnnotator({0: clips["slow"][1][0]})
    with Campaign(videos, tmp_path / "c", target=1.0, **options()) as campaign:
        for _ in range(6):
            campaign.turn(robots.__getitem__)
        spent = campaign.seconds
        assert campaign.standing("single").rounds == 2
    for name in ("fast", "single"):
        videos[name].rename(tmp_path / name)
    (tmp_path / "c" / "standings.json").unlink()  # a copy only, which a crash leaves behind
    with Campaign.open(tmp_path / "c", **options()) as campaign:
        told = {standing.video: standing for standing in campaign.standings()}
        assert {n: s.status for n, s in told.items() if n in ("fast", "single")} == {
            "fast": "failed",
            "single": "failed",
        }
        assert "no file or folder" in told["fast"].reason
        assert str(videos["fast"]) in told["fast"].reason
        assert campaign.turn(robots.__getitem__).video in ("still", "slow")
        with pytest.raises(FileNotFoundError):
            campaign.session("fast")
        for name in ("fast", "single"):
            (tmp_path / name).rename(videos[name])
        assert campaign.standing("fast").status == "open"  # looked at again
        assert campaign.seconds > spent
    with Session.open(tmp_path / "c" / "slow.evavos", **options()):
        pass  # and closing let go of every session


@pytest.mark.parametrize("first", ["mask", "agent"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_video_that_was_away_for_a_moment_goes_on(clips, tmp_path, first, restarted):
    videos = files(clips, tmp_path / "videos")
    robots = {name: RobotAnnotator(truth) for name, (_, truth) in clips.items()}
    there = {**options(), "annotation_selector": BeginsShortOnesWithClicks(), "first": first}
    campaign = Campaign(videos, tmp_path / "c", **there)
    robots["slow"].begin_all(campaign.session("slow"))
    campaign.session("slow").propagate()
    before = campaign.standings()
    campaign.close()
    if restarted:
        campaign = Campaign.open(tmp_path / "c", **there)
    away = {"slow", "fast"}  # of one is known how it stands, and one is new
    for name in away:
        videos[name].rename(tmp_path / name)
        with pytest.raises(FileNotFoundError):
            campaign.session(name)
    for _ in range(2):
        assert {s.video for s in campaign.standings() if s.status == "failed"} == away
    for name in away:
        (tmp_path / name).rename(videos[name])
    assert campaign.standing("fast") == next(s for s in before if s.video == "fast")
    assert campaign.standings() == before
    assert len(campaign.session("slow").rounds) == 2
    campaign.close()


def test_a_new_video_that_cannot_be_opened_is_passed_over(clips, tmp_path):
    videos = files(clips, tmp_path / "videos")
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"nothing of a video")
    videos = {"broken": tmp_path / "videos" / "broken.mp4", **videos}
    robots = {name: RobotAnnotator(truth) for name, (_, truth) in clips.items()}
    with Campaign(videos, tmp_path / "c", **options()) as campaign:
        heard = []
        campaign.subscribe(lambda: heard.append(1))
        assert campaign.next().video == "broken"
        with pytest.raises((OSError, ValueError), match=r"broken\.mp4"):
            campaign.turn(robots.__getitem__)
        assert heard
        assert campaign.standing("broken").status == "failed"
        assert campaign.turn(robots.__getitem__).video != "broken"


def test_a_video_that_somebody_else_has_open_keeps_no_other_from_work(clips, tmp_path):
    campaign, robots = begun(clips, tmp_path)
    with campaign:
        for _ in clips:
            campaign.turn(robots.__getitem__)
    again, _ = begun(clips, tmp_path)
    first = again.next().video
    with again:
        with FileLock(str(tmp_path / "c" / f"{first}.evavos" / ".lock")):
            with pytest.raises(RuntimeError, match="open in another"):
                again.turn(robots.__getitem__)
            assert again.standing(first).status == "failed"
            assert again.turn(robots.__getitem__).video != first
        again.session(first)
        assert again.standing(first).status == "open"


def test_sessions_are_closed_even_where_nothing_can_be_kept(clips, tmp_path, monkeypatch):
    campaign, robots = begun(clips, tmp_path)
    campaign.turn(robots.__getitem__)
    sessions = [campaign.session(name) for name in clips]

    def full(self, *_):
        raise OSError("no space is left")

    monkeypatch.setattr(CampaignFolder, "keep", full)
    with pytest.raises(OSError, match="no space"):
        campaign.close()
    assert all(session.closed for session in sessions)


def test_videos_are_called_as_they_are_once_they_are_open(tmp_path):
    for name in ("cam.1", "cam.2"):
        (tmp_path / "v" / name).mkdir(parents=True)
        Image.new("RGB", (8, 6)).save(tmp_path / "v" / name / "0.png")
    with Campaign(tmp_path / "v", tmp_path / "c", **options()) as campaign:
        assert campaign.videos == ("cam.1", "cam.2")
        assert [campaign.video(name).name for name in campaign.videos] == ["cam.1", "cam.2"]
    patterns = [tmp_path / "v" / name / "*.png" for name in ("cam.1", "cam.2")]
    with Campaign(patterns, tmp_path / "d", **options()) as campaign:
        assert campaign.videos == ("cam.1", "cam.2")


def test_a_selector_that_fails_stops_its_campaign_from_nothing_else(clips, tmp_path):
    class Falls(Mask):
        name = "falls"

        def select(self, state, choice):
            if state.video.name == "slow":
                raise ZeroDivisionError("no area")
            return super().select(state, choice)

    robots = {name: RobotAnnotator(truth) for name, (_, truth) in clips.items()}
    videos = {name: Video.open(frames, name=name) for name, (frames, _) in clips.items()}
    given = {**options(), "annotation_selector": Falls(), "target": 1.0}
    with Campaign(videos, tmp_path / "c", **given) as campaign:
        for _ in range(5):
            assert campaign.turn(robots.__getitem__) is not None
        standing = campaign.standing("slow")
        assert standing.status == "failed"
        assert "annotation selector 'falls'" in standing.reason
        assert "ZeroDivisionError: no area" in standing.reason
        assert {s.status for s in campaign.standings()} == {"open", "failed"}


def test_what_somebody_else_is_writing_is_not_cleared_away(clips, tmp_path):
    one, other = begun(clips, tmp_path)[0], begun(clips, tmp_path)[0]
    writing = tmp_path / "c" / ".standings.0123456789ab.new.json"
    assert writing.parent.is_dir()
    writing.write_text("{")
    other.finish("fast")
    assert writing.exists()
    one.close()
    other.close()


def test_to_stop_listening_twice_is_as_good_as_once(clips, tmp_path):
    heard = []
    with begun(clips, tmp_path)[0] as campaign:
        stop, again = (campaign.subscribe(lambda: heard.append(1)) for _ in range(2))
        stop()
        stop()
        campaign.finish("fast")
        again()
    assert heard == [1]


def test_what_two_of_a_folder_finish_is_finished(clips, tmp_path):
    one, other = begun(clips, tmp_path)[0], begun(clips, tmp_path)[0]
    one.finish("still")
    other.finish("fast")
    other.finish("slow")
    other.finish("slow", False)
    one.close()
    other.close()
    with begun(clips, tmp_path)[0] as campaign:
        finished = {s.video for s in campaign.standings() if s.status == "finished"}
    assert finished == {"still", "fast"}
