"""Curves in a notebook cell: experiments, running or finished, and one annotation session."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, get_args

import numpy as np
import traitlets

from evavos_widget.cores import usable_cores
from evavos_widget.experiments.background import BackgroundRun, Progress
from evavos_widget.experiments.chart import Chart
from evavos_widget.experiments.resampling import chosen_schedule
from evavos_widget.experiments.summary import SCHEDULES, comparable, summarise
from evavos_widget.experiments.table import Row, Table, read_rows, short_names
from evavos_widget.quantities import as_count
from evavos_widget.widgets.bundle import page
from evavos_widget.widgets.catalogue import catalogue
from evavos_widget.widgets.host import Host
from evavos_widget.widgets.hosted import HostedWidget
from evavos_widget.widgets.options import CurvesOptions, Theme, check_options
from evavos_widget.widgets.requests import Handler, Reply, Request, Runs

if TYPE_CHECKING:
    from evavos_widget.experiments.experiment import Experiment
    from evavos_widget.session import Session

__all__ = ["Curves"]

MAX_POINTS = 1800
"""Points that travel to the page, of all lines together; our choice: a notebook with twenty lines
is saved in less than 100 kB."""

DRAWING_SHARE = 0.1
"""Part of a run's time that goes into drawing it, at most."""


class Curves(HostedWidget):
    """J&F against the annotator's time, in a notebook cell.

    `Curves.run` starts an experiment and shows it while it runs, `Curves.from_folder` shows
    finished ones, and `Curves.of_session` shows one annotation session.

    Parameters
    ----------
    summary : dict or mapping of str to dict, optional
        What `evavos_widget.experiments.summary.summarise` returned; several by name.
    **options
        Any of the traits below, and ``schedule``: in which order the objects of a run's or a
        folder's videos get their next annotation, a key of
        `evavos_widget.experiments.summary.SCHEDULES`; default equal seconds where an experiment
        has a budget, and else ``'round-robin'``.

    Attributes
    ----------
    chart : Chart
        What is shown, as numbers.
    target : float or None
        J&F of the dotted line, 0 to 1; the legend says when each line reaches it.
    logarithmic : bool
        Of the time.
    hidden : list of str
        Names of lines that are switched off.
    theme : {'auto', 'light', 'dark'}
        ``'auto'`` follows the notebook.
    drawing, progress : dict
        For the page; read `chart`, or wait for `result`.

    Raises
    ------
    TypeError
        A keyword that the curves do not have.
    FileNotFoundError
        The page's code was not built, in a checkout without Node.
    ValueError
        There is no such schedule.

    Examples
    --------
    What a session has come to; the last line of a cell shows it. `run` shows an experiment while
    it runs, `from_folder` what it left.

    >>> from evavos_widget import Session, embedded_clip
    >>> clip = embedded_clip()
    >>> with Session(clip.video, path=None, ground_truth=clip.ground_truth) as session:
    ...     for obj in session.add_object(), session.add_object():
    ...         _ = session.annotate(0, clip.ground_truth[0] == obj, objects=[obj])
    ...     curves = Curves.of_session(session)
    >>> curves.save("curves.svg").name
    'curves.svg'
    >>> curves.close()
    """

    drawing = traitlets.Dict().tag(sync=True)
    progress = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    target = traitlets.Float(None, allow_none=True, min=0.0, max=1.0).tag(sync=True)
    logarithmic = traitlets.Bool(False).tag(sync=True)
    hidden = traitlets.List(traitlets.Unicode()).tag(sync=True)
    theme = traitlets.Enum(get_args(Theme), "auto").tag(sync=True)

    _run: BackgroundRun | None = None
    _end_session: Callable[[], None] | None = None

    def __init__(
        self,
        summary: Mapping[str, Any] | None = None,
        **options: Unpack[CurvesOptions],
    ) -> None:
        check_options("Curves", options, CurvesOptions.__optional_keys__)
        traits: dict[str, Any] = {"target": 0.85, **options}
        schedule = traits.pop("schedule", None)
        if schedule is not None and schedule not in SCHEDULES:
            raise ValueError(f"there is no schedule {schedule!r}; choose from {sorted(SCHEDULES)}.")
        self._schedule = schedule
        self._next_drawing = 0.0
        chart = Chart("hours", {})
        if summary is not None:
            chart = Chart.of_experiments({"": summary} if "methods" in summary else summary)
        super().__init__(**page("curves"), **traits)
        host = Host(catalogue("curves"), self.send)
        host.serve(
            {
                "stop": Handler(self._stop_at_once, runs=Runs.AT_ONCE),
                "resume": Handler(self._resume_at_once, runs=Runs.AT_ONCE),
            }
        )
        self._host = host.start()
        self._show(chart)

    @classmethod
    def from_folder(
        cls, *folders: str | os.PathLike[str], **options: Unpack[CurvesOptions]
    ) -> Curves:
        """The experiments in some folders; a run that is not complete as far as it is.

        Raises
        ------
        FileNotFoundError
            There is no experiment in a folder.
        ValueError
            No object of an experiment was finished by every method, or the experiments
            cannot be compared.
        """
        names = short_names(folders)
        experiments = {n: read_rows(Path(f)) for n, f in zip(names, folders, strict=True)}
        for name, rows in experiments.items():
            if not comparable(rows):
                raise ValueError(
                    f"no object in {name!r} was finished by every method yet; run it first."
                )
        curves = cls(**options)
        try:
            curves._show_rows(experiments)
        except BaseException:
            curves.close()  # else its worker would stay
            raise
        return curves

    @classmethod
    def of_session(cls, session: Session, **options: Unpack[CurvesOptions]) -> Curves:
        """The predicted and the true quality of a session, while it is annotated.

        Without ground truth there is the predicted quality alone.
        """
        curves = cls(**options)

        def follow(event: str, payload: dict[str, Any]) -> None:
            if event != "frame":
                curves._show(Chart.of_session(session.curve))

        curves._end_session = session.subscribe(follow)
        follow("changed", {})
        return curves

    @classmethod
    def run(
        cls,
        experiment: Experiment,
        folder: str | os.PathLike[str],
        *,
        workers: int | None = None,
        scheduler: str | None = None,
        **options: Unpack[CurvesOptions],
    ) -> Curves:
        """Start an experiment, or go on with it, and show it while other cells run.

        Lines compare the methods on the objects that every one of them has finished.

        Parameters
        ----------
        experiment : Experiment
        folder : path
            For its rows; a run that was stopped is taken up from there.
        workers : int, optional
            Processes; default one for each core that there is for this one.
        scheduler : str, optional
            Address of a Dask scheduler that does the work instead.

        Raises
        ------
        ValueError
            The schedule is equal seconds, and the experiment has no budget.
        """
        from evavos_widget.experiments.experiment import Experiment

        if not isinstance(experiment, Experiment):
            raise TypeError(
                f"experiment is {experiment!r}; give an Experiment, as in "
                "Experiment.preset('fig3c', data='DAVIS', sequences=['dog'])."
            )
        workers = usable_cores() if workers is None else as_count("workers", workers)
        chosen_schedule(options.get("schedule"), experiment.budget is not None)
        curves = cls(**options)
        curves._run = BackgroundRun(
            experiment,
            Path(folder),
            workers,
            scheduler,
            lambda progress, rows: curves._follow_run(experiment, progress, rows),
        )
        curves._run.start()
        return curves

    def stop(self) -> None:
        """Stop the run; what is finished is in its folder, and `resume` goes on from there."""
        self._running().stop()

    def resume(self) -> None:
        """Go on with a run that was stopped."""
        self._running().start()

    def result(self, timeout: float | None = None) -> Table:
        """Wait for the run's end.

        Parameters
        ----------
        timeout : float, optional
            Seconds; default for ever.

        Returns
        -------
        Table
            Complete and in order.

        Raises
        ------
        TimeoutError
            The run goes on after `timeout`.
        RuntimeError
            It was stopped, or there is none.
        Exception
            What the run failed with.
        """
        return self._running().result(timeout)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the lines that are switched on as a picture, or all numbers as a table.

        Parameters
        ----------
        path : path
            A ``.png`` or ``.svg`` picture, or a ``.csv`` table.
        """
        from evavos_widget.experiments.plots import plot_chart

        path = Path(path)
        if path.suffix == ".csv":
            self.chart.write_csv(path)
        elif path.suffix in (".png", ".svg"):
            plot_chart(
                self.chart, path, self.target, logarithmic=self.logarithmic, hidden=self.hidden
            )
        else:
            raise ValueError(f"{path.name!r} is no .png, .svg or .csv file; give such a name.")
        return path

    def close(self) -> None:
        """Stop the run, let go of the session, and remove the views."""
        if self._run is not None:
            self._run.stop()
        if self._end_session is not None:
            self._end_session()
            self._end_session = None
        super().close()

    def _running(self) -> BackgroundRun:
        if self._run is None:
            raise RuntimeError(
                "these curves show no run; start one with Curves.run(experiment, folder)."
            )
        return self._run

    def _follow_run(self, experiment: Experiment, progress: Progress, rows: Sequence[Row]) -> None:
        self.progress = asdict(progress)
        now = time.monotonic()
        # A line looks as its place among all methods says, so that none is missing while it runs.
        complete = {method.name for method in experiment.methods} <= {row.method for row in rows}
        due = (complete and now >= self._next_drawing) or progress.phase != "running"
        if due and comparable(rows):
            self._show_rows({experiment.name: rows})
            took = time.monotonic() - now
            self._next_drawing = now + took / DRAWING_SHARE

    def _show_rows(self, experiments: Mapping[str, Sequence[Row]]) -> None:
        compared = {name: comparable(rows) for name, rows in experiments.items()}
        chart = Chart.of_experiments(
            {name: summarise(rows, self._schedule) for name, rows in compared.items()}
        )
        objects, of = (
            sum(len({(row.video, row.object) for row in rows}) for rows in some.values())
            for some in (compared, experiments)
        )
        if objects < of:
            left = f"; the {objects} of {of} objects that every method has finished so far"
            chart = replace(chart, note=chart.note + left)
        self._show(chart)

    def _show(self, chart: Chart) -> None:
        self.chart = chart
        share = MAX_POINTS // max(1, len(chart.lines))
        self.drawing = {
            "unit": chart.unit,
            "note": chart.note,
            "lines": [
                {"name": name, "points": _thinned(points, share).astype("<f4").tobytes()}
                for name, points in chart.lines.items()
            ],
        }

    def _stop_at_once(self, request: Request) -> Reply:
        self.stop()
        return {}, []

    def _resume_at_once(self, request: Request) -> Reply:
        self.resume()
        return {}, []


def _thinned(points: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the points, evenly chosen, the first and the last among them."""
    if len(points) <= most:
        return points
    return points[np.linspace(0, len(points) - 1, max(2, most)).round().astype(int)]
