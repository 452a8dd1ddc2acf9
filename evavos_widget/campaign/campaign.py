"""A campaign: many videos, a session each, one budget of the annotator's seconds.

EVA-VOS ranks videos by the value that its policy gives them ("Video ranking"); here they are
ranked by whatever the selectors can say of the next annotation's gain per second.
"""

from __future__ import annotations

import inspect
import os
import statistics
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol, Self

from evavos_widget import engines
from evavos_widget.campaign.folder import CampaignFolder, StampedStanding, sources_of
from evavos_widget.campaign.standing import (
    FIRST_QUALITY,
    MEAN_ERROR,
    MeanError,
    Standing,
    judged,
    standing_of,
    unbegun,
)
from evavos_widget.files import in_words
from evavos_widget.prompts import Costs, as_costs
from evavos_widget.quantities import as_count, as_quantity, as_share
from evavos_widget.session import Answerer, Session
from evavos_widget.sources import check_merge
from evavos_widget.suggestion import FIRST_TYPES, DecidesFirst, check_first
from evavos_widget.version import VERSION
from evavos_widget.video import Video

__all__ = ["ORDERS", "Campaign", "CampaignAnswerer"]

ORDERS = {
    "value": "the video whose next annotation promises most per second goes first",
    "round-robin": "the video with the fewest annotations goes first",
}
"""In which order videos are gone on with."""

OPEN_SESSIONS = 2
"""Sessions that are kept open, each with its engines and what they cache."""


class CampaignAnswerer(Answerer, Protocol):
    """Who answers in a campaign, where no video has an object at first."""

    def begin_all(self, session: Session) -> None:
        """Add the objects to a new session and give each its first mask."""
        ...


class Campaign:
    """Annotate many videos with one budget.

    Each video has a session of its own in a folder of the campaign's, opened when it is asked for;
    the one used longest ago is closed where more than `open_sessions` are open, so that memory is
    bounded however many videos there are. Everything goes on after a restart, by making the same
    campaign again or with `Campaign.open`.

    Parameters
    ----------
    videos : folder, sequence or mapping of name -> video
        A folder of videos and frame folders, or anything `Video.open` takes, each.
    path : path
        Folder of the campaign.
    target : float
        Mean J&F that a video shall reach, 0 to 1.
    certainty : float
        A video has reached its target where that is at least so probable, 0 to 1.
    budget : float, optional
        Seconds of the annotator in all; nothing is proposed that would go beyond it.
    order : str
        A key of `ORDERS`.
    error : MeanError
        What the mean predicted J&F of a video is wrong by; measure it for other engines with
        ``evavos evaluate quality``.
    open_sessions : int
    **options
        As for `Session`, the same for every video; ``costs`` and those given as text or
        number are kept.

    Raises
    ------
    TypeError
        A session has no such option.
    ValueError
        There is no such order or engine, a number is none or out of range, two videos have one
        name, or another campaign is at `path`.

    Examples
    --------
    >>> from evavos_widget import embedded_clip
    >>> videos = {"morning": embedded_clip().video, "evening": embedded_clip().video}
    >>> with Campaign(videos, "clips.campaign", budget=3600) as campaign:
    ...     asked = campaign.next()
    ...     session = campaign.session(asked.video)
    >>> asked.video, asked.kind
    ('morning', 'mask')
    """

    def __init__(
        self,
        videos: Any,
        path: str | os.PathLike[str],
        *,
        target: float = 0.85,
        certainty: float = 0.8,
        budget: float | None = None,
        order: str = "value",
        error: MeanError = MEAN_ERROR,
        open_sessions: int = OPEN_SESSIONS,
        **options: Any,
    ) -> None:
        if taken := options.keys() & {"path", "read_only"}:
            raise ValueError(f"{min(taken)!r} is the campaign's to say; leave it out.")
        _check_options(options)
        if not isinstance(error, MeanError):
            raise ValueError(f"error is {error!r}; give MeanError(bias, deviation, n).")
        self._target, self._certainty = as_share("target", target), as_share("certainty", certainty)
        self._budget, self._order = _as_budget(budget), _as_order(order)
        open_sessions = as_count("open_sessions", open_sessions)
        self._videos = sources_of(videos)
        self._folder = CampaignFolder(path, _about(options))
        self.open_sessions, self.error = open_sessions, error
        self._options = options
        self._costs: Costs = as_costs(options.get("costs"))
        first = options.get("first")
        self._begins_with = first if first in FIRST_TYPES else "mask"
        self._agent_begins = first == "agent" and _decides_first(options)
        self._lock = threading.RLock()
        self._pricing = threading.Lock()  # never waited for under the other
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._held: dict[object, str] = {}
        self._listeners: dict[object, Callable[[], None]] = {}
        there = self._folder.begin(self._content([]))
        self._finished: set[str] = set(there.get("finished", ())) & self._videos.keys()
        self._known: dict[str, StampedStanding] = self._folder.standings()
        self._failed: dict[str, str] = {}  # video -> why it could not be opened
        self._out_of_sight = set[str]()  # that could not even be looked at
        self._changes: dict[str, object] = {}
        self._turns: list[dict[str, Any]] = []
        now = self._content(sorted(self._finished))
        if any(there.get(what) != said for what, said in now.items()):
            self._keep()

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], videos: Mapping[str, Any] | None = None, **options: Any
    ) -> Campaign:
        """Go on with a campaign, after a restart.

        Parameters
        ----------
        path : path
            The campaign's folder.
        videos : mapping of name -> video, optional
            Those that were given as arrays, or have moved since.
        **options
            As for `Campaign`; what holds of it already is the default.

        Raises
        ------
        FileNotFoundError
            There is no campaign at `path`.
        ValueError
            A video was given as an array and is not among `videos`.
        """
        content = CampaignFolder(path).read()
        kept = content["options"]
        for name, kind in {"error": MeanError, "costs": Costs}.items():
            if name in kept:
                kept[name] = kind(**kept[name])
        sources = {**content["videos"], **(videos or {})}
        for name, source in sources.items():
            if source is None:
                raise ValueError(
                    f"the video {name!r} was given as an array; pass it again: "
                    "Campaign.open(path, videos={...})."
                )
        return cls(sources, path, **{**kept, **options})

    @property
    def path(self) -> Path:
        """The campaign's folder."""
        return self._folder.path

    @property
    def target(self) -> float:
        """Mean J&F that a video shall reach, 0 to 1.

        It may be set, as `certainty`, `budget` and `order` may, and is kept at once.
        """
        return self._target

    @target.setter
    def target(self, target: float) -> None:
        self._target = as_share("target", target)
        self._keep()

    @property
    def certainty(self) -> float:
        """How probable that has to be, 0 to 1."""
        return self._certainty

    @certainty.setter
    def certainty(self, certainty: float) -> None:
        self._certainty = as_share("certainty", certainty)
        self._keep()

    @property
    def budget(self) -> float | None:
        """Seconds of the annotator in all, or None."""
        return self._budget

    @budget.setter
    def budget(self, budget: float | None) -> None:
        self._budget = _as_budget(budget)
        self._keep()

    @property
    def order(self) -> str:
        """In which order videos are gone on with, a key of `ORDERS`."""
        return self._order

    @order.setter
    def order(self, order: str) -> None:
        self._order = _as_order(order)
        self._keep()

    @property
    def videos(self) -> tuple[str, ...]:
        """Names of the videos, in the order given."""
        return tuple(self._videos)

    @property
    def seconds(self) -> float:
        """What the annotator has spent in all."""
        return sum(standing.seconds for standing in self._begun().values())

    def video(self, name: str) -> Video:
        """The video of a name, opened without its session."""
        with self._lock:
            self._check(name)
            session = self._open.get(name)
        return session.video if session else Video.open(self._videos[name])

    def session(self, name: str) -> Session:
        """The session of a video, open; it stays so until `open_sessions` others were asked for.

        Raises
        ------
        KeyError
            There is no such video.
        OSError, ValueError
            It cannot be opened; `next` passes it over from then on, until the video is there again
            or it is opened here.
        """
        with self._lock:
            self._check(name)
            session = self._open.pop(name, None)
            if session is None or session.closed:
                try:
                    session = Session(
                        self._videos[name], path=self._folder.session(name), **self._options
                    )
                except Exception as error:
                    self._fail(name, error)
                    self._tell()
                    raise
                session.subscribe(lambda event, payload: self._hear(name, event))
            self._failed.pop(name, None)
            self._open[name] = session
            others = [other for other in self._open if other not in {name, *self._held.values()}]
            surplus = self._let_go(others[: max(len(self._open) - self.open_sessions, 0)])
        self._close(surplus)
        return session

    def hold(self, name: str) -> Callable[[], None]:
        """Keep a video's session open however many are asked for; returns how to let go of it."""
        self._check(name)
        held = object()
        with self._lock:
            self._held[held] = name

        def let_go() -> None:
            with self._lock:
                self._held.pop(held, None)

        return let_go

    def standing(self, name: str) -> Standing:
        """How a video stands."""
        self._check(name)
        self._price(name)
        return self._all()[name]

    def pricing(self) -> Iterator[str]:
        """Find out what the agent begins new videos with, where it decides; a video a step.

        Each is opened for it once, without its session, and nothing else has to wait meanwhile.
        What it costs is kept with the campaign at once.

        Yields
        ------
        str
            The name of a video that was opened.
        """
        for name in self._videos:
            if self._price(name):
                yield name

    def standings(self, *, wait: bool = True) -> list[Standing]:
        """How all videos stand, in the order in which to go on with them.

        First those that are new or open, then those that failed, then those that are predicted to
        have reached their target, then the finished ones. A policy's value cannot be compared with
        a gain per second: where there are values, what is to be begun goes first, as in the paper.

        Parameters
        ----------
        wait : bool
            Where the agent decides what videos begin with, wait until it has (`pricing`); else
            those of which it is not known yet begin with a mask.
        """
        for _ in self.pricing() if wait else ():
            pass
        rank = {"new": 0, "open": 0, "failed": 1, "reached": 2, "finished": 3}
        known = self._all()
        place = {name: n for n, name in enumerate(self._videos)}

        values = any(standing.basis == "value" for standing in known.values())

        def key(standing: Standing) -> tuple[float, float, int]:
            due = standing.rounds if self.order == "round-robin" else -standing.rate
            if values and standing.basis == "first":
                due = float("-inf")
            return rank[standing.status], due, place[standing.video]

        return sorted(known.values(), key=key)

    def next(self, *, wait: bool = True) -> Standing | None:
        """What to do next.

        None where every video has reached its target, is finished or failed, or the budget does
        not suffice for anything.

        Parameters
        ----------
        wait : bool
            As for `standings`.
        """
        left = float("inf") if self.budget is None else self.budget - self.seconds
        return next(
            (
                s
                for s in self.standings(wait=wait)
                if s.status in ("new", "open") and s.cost <= left
            ),
            None,
        )

    def turn(self, annotators: Callable[[str], CampaignAnswerer]) -> Standing | None:
        """One turn of the loop on the video that goes first.

        Parameters
        ----------
        annotators : callable
            Who answers for a video, by its name, such as the robot.

        Returns
        -------
        Standing or None
            How the video stood when it was chosen; None where nothing is to be done.
        """
        chosen = self.next()
        if chosen is None:
            return None
        session, answerer = self.session(chosen.video), annotators(chosen.video)
        before = session.seconds
        suggestion = None if chosen.status == "new" else session.suggest()
        if suggestion is None:
            answerer.begin_all(session)
        else:
            answerer.answer(session, suggestion)
        session.propagate()
        if chosen.status == "new" and not session.annotations:
            self.finish(chosen.video)  # whoever annotates sees no object in it
        after = self.standing(chosen.video)
        self._turns.append(
            {
                **asdict(chosen),
                "seconds": session.seconds - before,
                "spent": self.seconds,
                "predicted_after": after.predicted,
            }
        )
        return chosen

    def table(self) -> list[dict[str, Any]]:
        """How all videos stand, as `standings`, a dict each."""
        return [asdict(standing) for standing in self.standings()]

    @property
    def turns(self) -> list[dict[str, Any]]:
        """What `turn` did since the campaign was opened, a dict each."""
        return [dict(each) for each in self._turns]

    def finish(self, name: str, finished: bool = True) -> None:
        """Say that a video needs no more annotation, or that it does."""
        self._check(name)
        self._keep({name: finished})

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback()`` when standings may have changed.

        Returns how to stop that, once or more.
        """
        token = object()
        self._listeners[token] = callback

        def stop() -> None:
            self._listeners.pop(token, None)

        return stop

    def close(self) -> None:
        """Keep what is known, and close every session, whether that can be kept or not."""
        try:
            self._begun()
        finally:
            with self._lock:
                every = self._let_go(list(self._open))
            self._close(every)
        with self._lock:
            self._folder.keep(dict(self._known))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        begun = sum(self._folder.has_session(name) for name in self._videos)
        return f"<Campaign of {len(self._videos)} videos, {begun} begun, in {str(self.path)!r}>"

    def _begun(self) -> dict[str, Standing]:
        """By video that has a session; what is not known is found out by looking at that."""
        with self._lock:
            before = dict(self._known)
            begun = {name: self._look(name) for name in self._videos if self._has_session(name)}
            after = dict(self._known)
            if after != before:
                self._folder.keep(after)
        return begun

    def _all(self) -> dict[str, Standing]:
        """By video; of new ones, as far as it is known what they begin with."""
        begun = self._begun()
        first = _first(begun.values())
        told = {
            name: judged(
                begun.get(name) or self._unbegun(name),
                self.target,
                self.certainty,
                self.error,
                first,
            )
            for name in self._videos
        }
        with self._lock:
            for name in filter(self._fails, self._videos):
                told[name] = replace(told[name], status="failed", reason=self._failed[name])
        for name in self._finished:
            told[name] = replace(told[name], status="finished", reason="you finished it")
        return told

    def _price(self, name: str) -> bool:
        """Find out what the agent begins a new video with; False where that is known already."""
        if not self._agent_begins:
            return False
        with self._pricing:
            with self._lock:
                stamp, changes = self._folder.stamp(name), self._changes.get(name)
                known = self._known.get(name)
                done = self._has_session(name) or (known is not None and known.stamp == stamp)
                if done or name in self._finished or self._fails(name):
                    return False
            try:
                with Session(self._videos[name], path=None, **self._options) as session:
                    standing = standing_of(name, session)
            except Exception as error:  # one video that cannot be opened keeps no other from work
                with self._lock:
                    if self._changes.get(name) is changes:  # else it was changed since
                        self._fail(name, error)
                return True
            with self._lock:
                if self._changes.get(name) is changes:
                    self._known[name] = StampedStanding(standing, stamp)
                    self._folder.keep(dict(self._known))
        return True

    def _fail(self, name: str, error: Exception) -> None:
        """Under the lock: keep in mind why a video could not be opened."""
        self._failed[name] = _told(error)
        if not self._is_there(name):
            self._out_of_sight.add(name)

    def _fails(self, name: str) -> bool:
        """Under the lock: whether a video could not be opened; a lost one is looked for again."""
        if name in self._failed and name in self._out_of_sight and self._is_there(name):
            self._out_of_sight.remove(name)
            del self._failed[name]
        return name in self._failed

    def _is_there(self, name: str) -> bool:
        try:
            Video.open(self._videos[name])
        except Exception:  # whatever a file of anybody's makes a reader raise
            return False
        return True

    def _look(self, name: str) -> Standing:
        """Under the lock: how a begun video stands, known until somebody changes its session.

        A session of the campaign's tells of its changes; of another one's, the folder shows them.
        """
        stamp, changes = self._folder.stamp(name), self._changes.get(name)
        known = self._known.get(name)
        if known is not None and known.stamp == stamp:
            return known.standing
        session = self._open.get(name)
        try:
            if session is not None and not session.closed:
                standing = standing_of(name, session)
            else:  # which somebody else may have open, and keeps
                about = {"path": self._folder.session(name), "read_only": True, **self._options}
                with Session(self._videos[name], **about) as other:
                    standing = standing_of(name, other)
        except Exception as error:  # one video that cannot be looked at keeps no other from work
            spent = known.standing.seconds if known else 0.0
            self._out_of_sight.add(name)
            return Standing(name, "failed", seconds=spent, reason=_told(error))
        if name in self._out_of_sight:  # it is there again
            self._out_of_sight.remove(name)
            self._failed.pop(name, None)
        if self._changes.get(name) is changes:
            self._known[name] = StampedStanding(standing, stamp)
        return standing

    def _has_session(self, name: str) -> bool:
        """Under the lock: whether anything was said of a video, or may be at any moment."""
        return name in self._open or self._folder.has_session(name)

    def _unbegun(self, name: str) -> Standing:
        known = self._known.get(name) if self._agent_begins else None
        if known is not None and known.stamp == self._folder.stamp(name):
            return known.standing
        return unbegun(name, self._costs, self._begins_with)

    def _let_go(self, names: list[str]) -> dict[str, Session]:
        """Under the lock: the sessions that are to be closed; how they stand is kept in mind."""
        for name in names:
            if not self._open[name].closed:
                self._look(name)
        return {name: self._open.pop(name) for name in names}

    def _close(self, sessions: Mapping[str, Session]) -> None:
        """Close sessions that were let go.

        Not under the lock: closing waits for who is changing the session, and whoever hears of
        that change may ask how the videos stand.
        """
        for name, session in sessions.items():
            session.close()
            with self._lock:
                if name in self._known:  # of the masks that closing wrote, too
                    self._known[name] = replace(self._known[name], stamp=self._folder.stamp(name))

    def _hear(self, name: str, event: str) -> None:
        """On whatever thread changed a session, which may hold its lock."""
        if event in ("changed", "propagated"):
            self._changes[name] = object()  # another than before, on whatever thread
            self._known.pop(name, None)
            self._tell()

    def _tell(self) -> None:
        for callback in list(self._listeners.values()):
            callback()

    def _check(self, name: str) -> None:
        if name not in self._videos:
            raise KeyError(f"there is no video {name!r}; the campaign has {list(self._videos)}.")

    def _keep(self, said: Mapping[str, bool] | None = None) -> None:
        """Keep what the campaign is now, and which videos were said to be finished or not."""

        def now(there: Mapping[str, Any]) -> dict[str, Any]:
            # Somebody else may have said it of other videos meanwhile.
            finished = {
                **dict.fromkeys(there.get("finished", self._finished), True),
                **(said or {}),
            }
            self._finished = {name for name in self._videos if finished.get(name, False)}
            return self._content(sorted(self._finished))

        with self._lock:
            self._folder.change(now)
        self._tell()

    def _content(self, finished: list[str]) -> dict[str, Any]:
        """What ``campaign.json`` holds."""
        kept = {
            "target": self.target,
            "certainty": self.certainty,
            "budget": self.budget,
            "order": self.order,
            "error": asdict(self.error),
            "open_sessions": self.open_sessions,
            **{
                k: asdict(v) if isinstance(v, Costs) else v
                for k, v in self._options.items()
                if isinstance(v, str | int | float | Costs)
            },
        }
        sources = {k: _source(v) for k, v in self._videos.items()}
        return {"videos": sources, "options": kept, "finished": finished}


def _as_budget(budget: float | None) -> float | None:
    wanted = "seconds, 0 or more, or None"
    return None if budget is None else as_quantity("budget", budget, wanted)


def _as_order(order: str) -> str:
    if order not in ORDERS:
        raise ValueError(f"there is no order {order!r}; choose from {sorted(ORDERS)}.")
    return order


def _check_options(options: Mapping[str, Any]) -> None:
    """Refuse what no session of any video could be opened with, before it is kept.

    Of engines by name only the name is looked up; what they need is imported when they are.
    """
    known = inspect.signature(Session).parameters.keys() - {"video", "path", "read_only"}
    if unknown := sorted(options.keys() - known):
        raise TypeError(f"a session has no option {unknown[0]!r}; choose from {sorted(known)}.")
    check_first(options.get("first", "mask"))
    check_merge(options.get("merge", "trust"))
    for stage in options.keys() & engines.STAGES.keys():
        if isinstance(options[stage], str):
            engines.argument(stage, options[stage])


def _first(begun: Iterable[Standing]) -> float:
    """What a first mask is expected to bring, by the videos that have one."""
    predicted = [s.predicted for s in begun if s.predicted is not None]
    return statistics.median(predicted) if predicted else FIRST_QUALITY


def _decides_first(options: Mapping[str, Any]) -> bool:
    """Whether the annotation selector of the sessions says what an object begins with."""
    selector = options.get("annotation_selector", "rule")
    if not isinstance(selector, str):
        return isinstance(selector, DecidesFirst)
    return issubclass(engines.engine_class("annotation_selector", selector), DecidesFirst)


def _told(error: Exception) -> str:
    """What went wrong, in one line."""
    text = " ".join(in_words(error).split())
    return text if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: {text}"


def _about(options: Mapping[str, Any]) -> str:
    """What standings depend on beside the sessions."""
    told = {
        k: engines.identity(v) if k in engines.STAGES else v
        for k, v in options.items()
        if k != "ground_truth"
    }
    return repr((VERSION, sorted(told.items())))


def _source(video: Any) -> str | list[str] | None:
    """Where a video can be opened again: a place, or a list of pictures; None for arrays."""
    source = video.source if isinstance(video, Video) else video
    pictures = isinstance(source, list) and all(isinstance(place, str) for place in source)
    return source if isinstance(source, str) or pictures else None
