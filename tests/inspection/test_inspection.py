"""A recorded session is looked into: states of past rounds, rewards, branches, comparison."""

from __future__ import annotations

import json

import numpy as np
import pytest

from evavos_widget.annotation_selection.baselines import Mask
from evavos_widget.contract import SelectorError
from evavos_widget.engines import register
from evavos_widget.explanation import FrameExplanation, TypeExplanation
from evavos_widget.frame_selection.baselines import FarthestInTime
from evavos_widget.inspection import Inspection, compared, what_if
from evavos_widget.inspection.rounds import principal_components
from evavos_widget.metrics import score_frame
from evavos_widget.prompts import Costs
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session, turn
from evavos_widget.session import history as history_module
from evavos_widget.session import recording as recording_module
from evavos_widget.session.recording import branched
from evavos_widget.testing import Disks

N = 16
ENGINES = {
    "propagator": "evavos_widget.testing:NearestCopy",
    "predictor": "evavos_widget.testing:Disks",
}


def clip() -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Two squares that look alike and pass each other, and frames that change their colour."""
    frames = np.random.default_rng(1).integers(0, 40, (N, 32, 64, 3), dtype=np.uint8)
    truth = {}
    for f in range(N):
        labels = np.zeros((32, 64), np.uint8)
        labels[4:14, 3 * f : 3 * f + 8] = 1
        labels[18:28, 52 - 3 * f : 58 - 3 * f] = 2
        frames[f][labels > 0] = 180
        frames[f, :, :, 0] += np.uint8(5 * f)
        truth[f] = labels
    return frames, truth


FRAMES, TRUTH = clip()


def recorded(path, rounds: int = 6, **options) -> Session:
    session = Session(FRAMES, path=path, **{**ENGINES, "annotation_selector": "mask", **options})
    robot = RobotAnnotator(TRUTH)
    robot.begin_all(session)
    session.propagate()
    for _ in range(rounds):
        turn(session, robot)
    return session


@pytest.fixture
def session(tmp_path):
    with recorded(tmp_path / "s.evavos") as session:
        yield session


def seen(path) -> tuple[list, list]:
    """What the selectors saw before each round, while it happened."""
    states, chosen = [], []
    with Session(FRAMES, path=path, **ENGINES, annotation_selector="mask") as session:
        robot = RobotAnnotator(TRUTH)
        states += [session.state, None]
        robot.begin_all(session)
        session.propagate()
        for _ in range(5):
            states.append(session.state)
            chosen.append(turn(session, robot))
        states.append(session.state)
    return states, chosen


def same(a, b) -> bool:
    return (
        a.objects == b.objects
        and a.annotations.keys() == b.annotations.keys()
        and all(np.array_equal(a.masks[f], b.masks[f]) for f in range(N))
        and np.array_equal(a.quality, b.quality, equal_nan=True)
        and a.seconds == b.seconds
        and len(a.rounds) == len(b.rounds)
    )


@pytest.mark.parametrize("how", ["live", "masks saved", "masks lost", "longer ago than undo"])
def test_a_past_round_is_what_was_seen_then(tmp_path, monkeypatch, how):
    states, chosen = seen(tmp_path / "s.evavos")
    if how == "masks lost":
        (tmp_path / "s.evavos" / "masks.npz").unlink()
    if how == "longer ago than undo":
        monkeypatch.setattr(history_module, "HISTORY_LIMIT", 2)
        monkeypatch.setattr(history_module.History.__init__, "__defaults__", (2,))
    read_only = how != "live"
    with Session.open(tmp_path / "s.evavos", FRAMES, read_only=read_only) as session:
        inspection = Inspection(session)
        assert len(inspection) == len(states) - 1
        for n, expected in enumerate(states[2:], start=2):
            if how in ("masks lost", "longer ago than undo") and n == len(inspection):
                continue  # the present is shown as it is, without a pass that nobody asked for
            assert same(inspection.recording.state(n), expected), n
        assert [inspection.choice(n) for n in range(2, len(inspection))] == chosen
        assert all(inspection.round(n)["followed"] for n in range(2, len(inspection)))


def test_a_recorded_round_is_asked_about_with_the_costs_of_then(tmp_path):
    given = {"annotation_selector": "rule", "costs": Costs(mask=3.0, click=9.5)}
    with recorded(tmp_path / "s.evavos", rounds=3, **given) as session:
        table = Inspection(session).table()
    assert {row["asked_kind"] for row in table[2:]} == {"mask"}  # which clicks were in the paper's
    with Session.open(tmp_path / "s.evavos", FRAMES, read_only=True) as session:
        assert Inspection(session).table() == table


def test_a_round_of_long_ago_takes_one_pass_however_often_it_is_looked_at(session, monkeypatch):
    monkeypatch.setattr(history_module, "HISTORY_LIMIT", 2)
    monkeypatch.setattr(history_module.History.__init__, "__defaults__", (2,))
    path = session.path
    session.close()
    (path / "masks.npz").unlink()
    passes, propagation = [], Session.propagation
    monkeypatch.setattr(
        Session, "propagation", lambda self, *a, **k: passes.append(1) or propagation(self, *a, **k)
    )
    with Session.open(path, FRAMES, read_only=True) as again:
        inspection = Inspection(again)
        looks = [inspection.recording.state(3) for _ in range(3)]
        assert len(passes) == 1
        assert same(looks[0], looks[2])
        inspection.recording.state(4)
        assert len(passes) == 2


def test_the_journal_is_read_once_for_all_rounds_of_long_ago(session, monkeypatch):
    monkeypatch.setattr(history_module, "HISTORY_LIMIT", 2)
    monkeypatch.setattr(history_module.History.__init__, "__defaults__", (2,))
    path = session.path
    session.close()
    read, read_journal = [], recording_module.read_journal
    monkeypatch.setattr(
        recording_module, "read_journal", lambda path: read.append(path) or read_journal(path)
    )
    with Session.open(path, FRAMES) as again:
        inspection = Inspection(again)
        masks = [inspection.mask(n, 5, 1) for n in (2, 3, 4, 3)]
        assert len(read) == 1
        assert np.array_equal(masks[1], masks[3])
        again.annotate(5, TRUTH[5] == 1, objects=[1])
        assert np.array_equal(inspection.mask(3, 5, 1), masks[1])
        assert len(read) == 2


@pytest.mark.parametrize("partly", [False, True])
def test_a_round_before_any_whole_pass_is_what_was_seen_then(partly):
    with Session(FRAMES, path=None, **ENGINES) as session:
        session.annotate(0, TRUTH[0] == 1, objects=[session.add_object()])
        if partly:
            session.propagate(frames=range(4))
        lived, shown = session.suggest(), session.masks.array()
        session.annotate(9, TRUTH[9] == 1, objects=[1])
        session.annotate(5, TRUTH[5] == 1, objects=[1])
        inspection = Inspection(session, ground_truth=TRUTH)
        assert inspection.choice(1) == lived
        assert np.array_equal(inspection.recording.state(1).masks.array(), shown)
        assert inspection.reward(1)["frame_gain"] == 1  # from no mask to the true one
        assert inspection.reward(1)["true_gain"] > 0


def test_what_was_undone_is_no_round(session):
    inspection = Inspection(session)
    n = len(inspection)
    before = inspection.round(n - 1)["asked"]
    session.undo()
    assert len(inspection) == n - 1
    assert inspection.round(n - 1)["asked"] == before
    assert inspection.round(n - 1)["made"] is None
    session.annotate(1, TRUTH[1] == 2, objects=[2], kind="mask", seconds=7)
    session.propagate()
    told = inspection.round(n - 1)
    assert (told["made"]["frame"], told["made"]["seconds"], told["followed"]) == (1, 7, False)


def test_a_round_that_takes_the_place_of_one_that_was_undone_is_shown(session):
    inspection = Inspection(session)
    last = len(session.rounds) - 1
    for frame in (3, 5, 7, 9) * 5:  # an object that is gone leaves its place to the next one
        session.undo()
        session.annotate(frame, TRUTH[frame] == 1, objects=[1])
        session.propagate()
        session.annotate(11, TRUTH[11] == 1, objects=[1])
        session.propagate()
        assert inspection.round(last)["made"]["frame"] == frame
        session.undo()


def test_a_branch_works_on_the_device_of_its_session():
    given = {"propagator": "flow", "predictor": "test_inspection:Somewhere"}
    with (
        Session(FRAMES, path=None, device="over there", **given) as session,
        branched(session, session._state) as branch,
    ):
        assert branch.predictor.device == session.predictor.device == "over there"


class Somewhere(Disks):
    def __init__(self, device="here"):
        super().__init__()
        self.device = device


@pytest.mark.parametrize("selector", ["rule", "policy", "mask"])
@pytest.mark.parametrize("first", ["mask", "clicks"])
def test_an_object_that_is_to_be_begun_has_the_one_type_it_begins_with(selector, first):
    """The selector, which is not asked, would have gone on with an object."""
    with Session(
        FRAMES, path=None, **ENGINES, annotation_selector=selector, first=first
    ) as session:
        session.annotate(0, TRUTH[0] == 1, objects=[session.add_object()])
        session.add_object()
        session.mark_absent(0, [2])
        session.propagate()
        inspection = Inspection(session)
        for n in (0, 2):
            told = inspection.round(n)
            asked = told["asked"]
            if n == 2:
                assert (asked["object"], asked["kind"]) == (2, first)
            [kind] = told["types"]
            assert (kind["kind"], kind["probability"]) == (first, 1)
            assert kind["seconds"] == session.costs.seconds(first, 10)
            assert told["value"] is None
        session.annotate(5, TRUTH[5] == 2, objects=[2])
        assert [t["kind"] for t in inspection.round(2)["types"]] == [first]


def test_rewards_follow_from_the_masks(session):
    inspection = Inspection(session, ground_truth=TRUTH)
    for n in range(2, len(inspection)):
        made, reward = inspection.round(n)["made"], inspection.round(n)["reward"]
        obj = made["object"]
        jf = [
            [score_frame(state.masks[f], TRUTH[f], [obj]).mean() for f in range(N)]
            for state in (inspection.recording.state(n), inspection.recording.state(n + 1))
        ]
        assert reward["true_gain"] == pytest.approx(np.mean(jf[1]) - np.mean(jf[0]), abs=1e-6)
        gain = jf[1][made["frame"]] - jf[0][made["frame"]]
        assert reward["frame_gain"] == pytest.approx(gain, abs=1e-6)
        assert reward["reward"] == pytest.approx(gain / (80 * (n + 1)), abs=1e-6)
    assert inspection.round(len(inspection))["reward"] is None


@pytest.mark.parametrize("away", ["removed", "merged"])
def test_an_object_that_is_gone_before_the_next_round_has_no_gain(session, away):
    n = len(session.rounds) - 1
    [obj] = session.rounds[n].objects
    before = Inspection(session, ground_truth=TRUTH).reward(n)
    assert before["true_gain"] > 0
    if away == "removed":
        session.remove_object(obj)
    else:
        session.merge_objects(obj, 3 - obj)
    session.propagate()
    inspection = Inspection(session, ground_truth=TRUTH)
    after = inspection.reward(n)
    gone = ("true_after", "true_gain", "predicted_after", "predicted_gain", "frame_gain", "reward")
    assert {after[name] for name in gone} == {None}
    assert after["true_before"] == before["true_before"]
    assert inspection.reward(n - 1)["true_gain"] is not None


def test_an_object_that_comes_with_its_round_had_nothing_to_gain_from():
    with Session(FRAMES, path=None, **ENGINES) as session:
        session.import_masks({0: TRUTH[0]})
        session.propagate()
        reward = Inspection(session, ground_truth=TRUTH).reward(0)
        assert reward["true_before"] is reward["true_gain"] is reward["frame_gain"] is None
        assert reward["true_after"] > 0


@pytest.mark.parametrize("asked", [1, 2])
def test_a_round_of_several_is_that_of_the_frame_and_object_that_were_asked_for(asked):
    with Session(FRAMES, path=None, **ENGINES, annotation_selector="mask") as session:
        session.annotate(0, TRUTH[0], objects=[session.add_object(), session.add_object()])
        session.annotate(N - 1, TRUTH[N - 1] == 3 - asked, objects=[3 - asked])
        session.propagate()
        suggestion = session.suggest()
        assert (suggestion.frame, suggestion.object) == (N - 1, asked)
        two = {f: TRUTH[f] for f in (4, N - 1)}
        session.import_masks(two)
        session.propagate()
        session.annotate(6, TRUTH[6], objects=[1, 2])  # which nobody asked for
        inspection = Inspection(session, ground_truth=TRUTH)
        made, reward = inspection.round(2)["made"], inspection.reward(2)
        assert (made["frame"], made["object"]) == (N - 1, asked)
        before, after = (inspection.recording.state(n).masks for n in (2, 3))
        of = inspection.truth.of
        gain = of(after, asked)[N - 1] - of(before, asked)[N - 1]
        assert reward["frame_gain"] == pytest.approx(gain)
        assert gain > 0
        assert inspection.round(3)["made"]["frame"] == 6


def test_nothing_is_said_of_the_truth_unless_the_caller_gives_it(tmp_path):
    with recorded(tmp_path / "s.evavos", ground_truth=TRUTH) as session:
        told = Inspection(session).round(4)
        assert all(each["true"] is None for each in told["objects"])
        assert {told["reward"][k] for k in ("reward", "frame_gain", "true_gain")} == {None}
        with pytest.raises(ValueError, match="give ground_truth"):
            what_if(Inspection(session), 4, 3, 1, "mask")


def test_the_branch_that_was_taken_ends_as_the_recording_did(session):
    inspection = Inspection(session, ground_truth=TRUTH)
    for n in range(2, len(inspection)):
        made, reward = inspection.round(n)["made"], inspection.round(n)["reward"]
        found = what_if(inspection, n, made["frame"], made["object"], made["kind"])
        assert found.gain == pytest.approx(reward["true_gain"], abs=1e-6)
        assert found.predicted_after == pytest.approx(reward["predicted_after"], abs=1e-6)
        assert found.seconds == made["seconds"]


class Leaning(Disks):
    """Disks that are wide where it is told how sure the pass was, as real predictors are led."""

    name = "leaning"

    def predict(self, image, prompts, *, key=None):
        self.radius = 1.0 if prompts.previous_probabilities is None else 4.0
        return super().predict(image, prompts, key=key)


@pytest.mark.parametrize("reopened", [False, True])
def test_the_branch_that_was_taken_begins_from_what_the_pass_said(tmp_path, reopened):
    register("predictor", "leaning", Leaning)
    engines = {"predictor": "leaning", "annotation_selector": "clicks"}
    session = recorded(tmp_path / "s.evavos", 4, **engines)
    if reopened:
        session.close()
        session = Session.open(tmp_path / "s.evavos", FRAMES, read_only=True)
    inspection = Inspection(session, ground_truth=TRUTH)
    tried = 0
    for n in range(2, len(inspection)):
        made, reward = inspection.round(n)["made"], inspection.round(n)["reward"]
        found = what_if(inspection, n, made["frame"], made["object"], made["kind"])
        tried += found.kind == "clicks"
        assert found.frame_after - found.frame_before == pytest.approx(
            reward["frame_gain"], abs=2e-4
        )
        assert found.true_after == pytest.approx(reward["true_after"], abs=1e-6)
    assert tried
    session.close()


def test_another_branch_leaves_the_session_alone(session):
    inspection = Inspection(session, ground_truth=TRUTH)
    journal = (session.path / "journal.jsonl").read_bytes()
    before, table = session.state, inspection.table()
    done = []
    found = what_if(inspection, 3, 7, 2, "clicks", on_step=lambda *d: done.append(d) or True)
    assert (found.frame, found.object, found.kind) == (7, 2, "clicks")
    assert found.frame_after > found.frame_before
    assert done[-1][0] == done[-1][1]
    assert what_if(inspection, 3, 7, 2, "mask", on_step=lambda *d: False) is None
    assert (session.path / "journal.jsonl").read_bytes() == journal
    assert same(before, session.state)
    assert inspection.table() == table


def test_an_engine_that_is_an_object_is_not_shared(tmp_path):
    from evavos_widget.testing import NearestCopy

    with recorded(tmp_path / "s.evavos", 1, propagator=NearestCopy()) as session:
        inspection = Inspection(session, ground_truth=TRUTH)
        with pytest.raises(ValueError, match="propagator of this session was given as an object"):
            what_if(inspection, 2, 7, 2, "mask")
        assert what_if(inspection, 2, 7, 2, "mask", propagator=ENGINES["propagator"]) is not None


def test_two_policies_disagree_first_where_one_asks_for_something_else(tmp_path, session):
    same_policy = compared(Inspection(session), Inspection(session))
    assert all(row["same"] for row in same_policy)
    rows = compared(Inspection(session), Inspection(session, annotation_selector="clicks"))
    [first] = [row["round"] for row in rows if row["first_disagreement"]]
    assert not rows[first]["same"]
    assert all(row["same"] for row in rows[:first])
    assert {row["second"]["kind"] for row in rows[first:] if row["second"]} == {"clicks"}
    with recorded(tmp_path / "t.evavos", frame_selector="uniform") as other:
        rows = compared(Inspection(session), Inspection(other))
        [first] = [row for row in rows if row["first_disagreement"]]
        assert first["first"]["frame"] != first["second"]["frame"]
        assert all(row["same"] for row in rows[: first["round"]])
    with (
        Session(FRAMES[:4], path=None, **ENGINES) as another,
        pytest.raises(ValueError, match="two videos"),
    ):
        compared(Inspection(session), Inspection(another))


def test_the_map_keeps_distances_of_what_lies_in_a_plane():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(20, 2)) @ np.linalg.qr(rng.normal(size=(30, 2)))[0].T
    places = principal_components(plane)
    for a in range(20):
        expected = np.linalg.norm(plane - plane[a], axis=1)
        assert np.linalg.norm(places - places[a], axis=1) == pytest.approx(expected, abs=1e-4)
    assert principal_components(np.ones((3, 5))).tolist() == [[0, 0]] * 3


def test_disagreement_is_between_the_sides(session):
    inspection = Inspection(session)
    n = len(inspection)
    annotated = [f for f, a in inspection.recording.state(n).annotations.items() if 1 in a.objects]
    apart = inspection.disagreement(n, 1)
    assert np.isnan(apart[annotated]).all()
    inside = [f for f in range(min(annotated), max(annotated)) if f not in annotated]
    # The engine copies the nearest annotation, and the square moves on by its own width and more.
    assert (apart[inside] > 0.5).all()
    assert inspection.disagreement(1, 1) is None
    # Of another engine they are others.
    flow = inspection.disagreement(n, 1, propagator="flow")
    assert not np.array_equal(flow, apart, equal_nan=True)
    assert inspection.disagreement(n, 1, propagator="flow") is flow
    assert inspection.disagreement(n, 1) is apart


def test_past_masks_are_computed_where_the_saved_ones_were_lost(tmp_path):
    with recorded(tmp_path / "s.evavos", rounds=2) as session:
        expected = Inspection(session).round(3)["objects"]
    (tmp_path / "s.evavos" / "masks.npz").unlink()
    with Session.open(tmp_path / "s.evavos", FRAMES, **ENGINES, annotation_selector="mask") as s:
        s.propagate()  # a pass of now says nothing of then
        inspection = Inspection(s)
        assert inspection.round(3)["objects"] == expected
        assert inspection.mask(3, 1, 2).any()


def test_the_truth_says_nothing_of_an_object_that_it_lacks(session):
    half = {f: np.where(m == 1, m, 0).astype(np.uint8) for f, m in TRUTH.items()}
    one, two = Inspection(session, ground_truth=half).round(2)["objects"]
    assert np.isfinite(np.array(one["true"], float)).all()
    assert two["true"] == [None] * N


def test_the_table_has_a_row_for_each_round(session):
    rows = Inspection(session, ground_truth=TRUTH).table()
    assert [row["round"] for row in rows] == list(range(9))
    assert rows[4]["made_kind"] == "mask"
    assert rows[4]["mask_seconds"] == 80
    assert rows[-1]["made_frame"] is None
    assert rows[4]["true_gain"] == pytest.approx(rows[4]["true_after"] - rows[4]["true_before"])


def test_a_locked_object_is_not_asked_for_as_it_was_not(session):
    n = len(session.rounds)
    asked = session.suggest().object
    session.update_object(asked, locked=True)
    inspection = Inspection(session)
    assert inspection.choice(n) == session.suggest()
    assert inspection.choice(n).object != asked
    assert [each["object"] for each in inspection.round(n)["objects"]] == [1, 2]
    session.update_object(asked, locked=False)
    assert inspection.choice(n).object == asked


@pytest.mark.parametrize("locked", [1, 2])
@pytest.mark.parametrize("frame_selector", ["uniform", "farthest-in-time"])
def test_scores_are_those_of_the_choice_where_an_object_is_locked(locked, frame_selector):
    with Session(FRAMES, path=None, **ENGINES, frame_selector=frame_selector) as session:
        session.annotate(0, TRUTH[0], objects=[session.add_object(), session.add_object()])
        session.annotate(N - 1, TRUTH[N - 1] == 3 - locked, objects=[3 - locked])
        session.propagate()
        session.update_object(locked, locked=True)
        inspection = Inspection(session)
        told = inspection.round(2)
        scores = {each["object"]: each["scores"] for each in told["objects"]}
        assert scores[locked] == [None] * N
        asked = scores[told["asked"]["object"]]
        assert asked[told["asked"]["frame"]] == max(s for s in asked if s is not None)
        assert [t["kind"] for t in told["types"]]
        assert np.isfinite(inspection.map(2, locked)).all()
        session.update_object(3 - locked, locked=True)
        told = inspection.round(2)
        assert told["asked"] is None
        assert [each["scores"] for each in told["objects"]] == [None, None]


@pytest.mark.parametrize("limit", [100, 1])
def test_what_was_put_off_then_is_put_off_in_the_state_of_then(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(history_module.History.__init__, "__defaults__", (limit,))
    with recorded(tmp_path / "s.evavos", rounds=1) as session:
        first = session.suggest()
        session.snooze(first.frame, first.object)
        lived = session.suggest()
        n = len(session.rounds)
        RobotAnnotator(TRUTH).answer(session, lived)
        session.propagate()
        turn(session, RobotAnnotator(TRUTH))
        assert not session.state.snoozed
        assert (lived.frame, lived.object) != (first.frame, first.object)
        assert Inspection(session).choice(n).frame == lived.frame
        for _ in range(2):
            session.undo()
        assert not session.state.snoozed


class Says(FarthestInTime):
    """Explains itself in some way."""

    name = "says"

    def __init__(self, scores=None, **more) -> None:
        self.told = FrameExplanation(np.zeros((N, 2)) if scores is None else scores, "x", **more)

    def explain(self, state):
        return self.told


class Thinks(Mask):
    name = "thinks"

    def __init__(self, told) -> None:
        self.told = told

    def explain(self, state, choice):
        return self.told


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        (
            Says(np.zeros((2, N))),
            rf"scores of explain are float64 of shape \(2, {N}\), not numbers",
        ),
        (Says(np.zeros(N)), rf"of shape \({N},\), not numbers of \({N}, 2\), frames by objects"),
        (Says(np.full((N, 2), np.inf)), "scores of explain are infinite"),
        (Says(quality=np.zeros((N, 3))), "quality of explain are"),
        (Says(embeddings={2: np.zeros((3, 4))}), r"embeddings of object 2 are of shape \(3, 4\)"),
        (Says(embeddings={1: np.full((N, 4), np.nan)}), "embeddings of object 1"),
    ],
)
def test_scores_that_cannot_be_shown_are_refused(session, selector, said):
    inspection = Inspection(session, frame_selector=selector)
    with pytest.raises(SelectorError, match=f"frame selector 'says' .*{said}"):
        inspection.round(3)
    assert inspection.choice(3) is not None  # explaining changes no choice


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (TypeExplanation({"mask": 1.0}, gains={"mask": np.nan}), "gains of mask is nan"),
        (TypeExplanation({"mask": 1.0}, seconds={"mask": None}), "seconds of mask is None"),
        (TypeExplanation({"mask": 1.0}, value=np.inf), "value of the state is inf"),
        (TypeExplanation({"mask": 5.0, "clicks": -4.0}), "do not sum to 1"),
        (("mask", 1.0), "explain returned a tuple"),
    ],
)
def test_types_that_cannot_be_shown_are_refused(session, told, said):
    inspection = Inspection(session, annotation_selector=Thinks(told))
    with pytest.raises(SelectorError, match=f"annotation selector 'thinks' .*{said}"):
        inspection.round(3)


def test_explanations_may_count_with_numpy(session):
    one, half = np.float32(1), np.float32(0.5)
    told = TypeExplanation({"mask": one}, {"mask": half}, {"mask": np.int64(80)}, value=half)
    inspection = Inspection(
        session,
        frame_selector=Says(np.zeros((N, 2), np.int16).tolist()),
        annotation_selector=Thinks(told),
    )
    [mask] = json.loads(json.dumps(inspection.round(3), allow_nan=False))["types"]
    assert (mask["probability"], mask["gain"], mask["seconds"]) == (1, 0.5, 80)
