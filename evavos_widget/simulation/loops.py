"""The loop on many videos with the robot annotator: rows of a table, and its picture."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from evavos_widget.datasets.davis import open_sequence
from evavos_widget.datasets.sequence import Sequence as VideoSequence
from evavos_widget.loop import turn
from evavos_widget.session import Session
from evavos_widget.simulation.robot import RobotAnnotator

__all__ = ["Row", "picture", "read_rows", "run_loop", "run_loops", "summary"]


@dataclass(frozen=True)
class Row:
    """One round of one loop.

    Parameters
    ----------
    method, video : str
    round : int
        0: the first masks are drawn, on the first frame.
    frame : int
        That was annotated.
    type : str
        Of the annotation.
    seconds : float
        Of the annotator until here.
    jf : float
        Mean J&F over all frames and objects, 0 to 1.
    """

    method: str
    video: str
    round: int
    frame: int
    type: str
    seconds: float
    jf: float


def run_loop(
    sequence: VideoSequence,
    method: str,
    *,
    rounds: int,
    propagator: str,
    predictor: str,
    annotation: str,
    clicks: int = 3,
) -> Iterator[Row]:
    """The loop on one video; every session is the one people use.

    Parameters
    ----------
    sequence : Sequence
        Video and ground truth.
    method : str
        What the rows are called.
    rounds : int
        After the first masks.
    propagator, predictor, annotation : str
        Engines by name; `annotation` is the annotation selector.
    clicks : int
        Per interaction.
    """
    truth = sequence.ground_truth
    first = min(truth)
    with Session(
        sequence.video,
        propagator=propagator,
        predictor=predictor,
        annotation_selector=annotation,
        path=None,
        ground_truth=truth,
    ) as session:
        robot = RobotAnnotator(truth, clicks=clicks)
        for obj in np.unique(truth[first])[1:].tolist():
            session.annotate(first, truth[first] == obj, objects=[session.add_object()])
        session.propagate()
        frame: int | None = first
        for n in range(rounds + 1):
            if n:
                asked = turn(session, robot)
                if asked is None:
                    return
                frame = asked.frame
            point, kind = session.curve[-1], session.rounds[-1].kind
            assert point.true is not None  # ground truth was given
            yield Row(method, sequence.name, n, frame, kind, point.seconds, point.true)


def run_loops(
    root: Path,
    names: Sequence[str],
    table: Path,
    method: str,
    *,
    report: Callable[[str], None] = print,
    **options: str | int,
) -> None:
    """Run the loop on many videos and append to a table; videos it has are not run again.

    Parameters
    ----------
    root : Path
        Holds ``JPEGImages`` and ``Annotations``.
    names : sequence of str
    table : Path
        CSV, created if needed.
    method : str
    report : callable
        Told one line per video.
    **options
        As for `run_loop`.
    """
    done = {row.video for row in read_rows(table) if row.method == method}
    table.parent.mkdir(parents=True, exist_ok=True)
    for name in names:
        if name in done:
            continue
        sequence = open_sequence(root, name)
        rows = list(run_loop(sequence, method, **options))  # type: ignore[arg-type]
        sequence.video.close()
        new = not table.exists()
        with table.open("a", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Row)])
            if new:
                writer.writeheader()
            writer.writerows(
                {**asdict(row), "seconds": f"{row.seconds:.1f}", "jf": f"{row.jf:.4f}"}
                for row in rows
            )
        report(f"{name:24s} " + "  ".join(f"{row.jf:.3f}" for row in rows))


def read_rows(table: Path) -> list[Row]:
    """The rows of a table; none where there is no file."""
    if not table.exists():
        return []
    kinds = {"round": int, "frame": int, "seconds": float, "jf": float}
    with table.open(newline="") as file:
        return [
            Row(**{k: kinds.get(k, str)(v) for k, v in row.items()}) for row in csv.DictReader(file)
        ]


def summary(rows: Iterable[Row]) -> dict[str, np.ndarray]:
    """Means over videos after each round.

    A loop that ended early, since nothing was left to ask, keeps its last values.

    Returns
    -------
    dict
        Of each method, (rounds + 1, 3): annotator's seconds, J&F, standard error of J&F.
    """
    methods: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        methods.setdefault(row.method, {}).setdefault(row.video, []).append(row)
    out = {}
    for method, videos in methods.items():
        length = max(len(v) for v in videos.values())
        every = np.array(
            [
                [(row.seconds, row.jf) for row in v + v[-1:] * (length - len(v))]
                for v in videos.values()
            ]
        )
        error = np.full(length, np.nan)
        if len(every) > 1:
            error = every[:, :, 1].std(axis=0, ddof=1) / len(every) ** 0.5
        out[method] = np.column_stack([every.mean(axis=0), error])
    return out


def picture(rows: Iterable[Row], path: Path) -> None:
    """Draw J&F against the annotator's seconds, a line and a band for each method."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.subplots()
    for method, points in summary(rows).items():
        seconds, jf, error = points.T
        axes.plot(seconds, jf, "o-", label=method, markersize=4)
        axes.fill_between(seconds, jf - error, jf + error, alpha=0.15)
    axes.set(xlabel="annotator's seconds, mean over videos", ylabel="J&F, mean over videos")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
