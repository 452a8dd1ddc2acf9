"""The loop on the embedded clip with the robot annotator: `evavos demo`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from evavos_widget.datasets.embedded import embedded_clip
from evavos_widget.experiments.chart import Chart
from evavos_widget.experiments.plots import plot_chart
from evavos_widget.loop import PropagationStep
from evavos_widget.overlay import overlay
from evavos_widget.quantities import as_count
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session, turn

__all__ = ["run_demo"]


def run_demo(output: Path, rounds: int = 6) -> None:
    """Annotate the embedded clip and leave pictures, a curve and the masks in `output`.

    Parameters
    ----------
    output : Path
        Folder, created if needed: ``before.png`` and ``after.png`` (frames with their
        masks), ``curve.png``, ``masks/`` (DAVIS palette PNG) and ``overlay.mp4``.
    rounds : int
        Turns of the loop after the first masks are drawn; with 0 there are these alone.
    """
    rounds = as_count("rounds", rounds, 0)
    output.mkdir(parents=True, exist_ok=True)
    clip = embedded_clip()
    with Session(clip.video, path=None, ground_truth=clip.ground_truth) as session:
        robot = RobotAnnotator(clip.ground_truth)
        print(f"{clip.name}: {session.video.n_frames} frames, drawing the objects on frame 0")
        first = clip.ground_truth[0]
        for obj in np.unique(first)[1:].tolist():
            session.annotate(0, first == obj, objects=[session.add_object()])
        with _bar("round 0") as step:
            session.propagate(step)
        _contact_sheet(session, output / "before.png")
        lines = [_line(session, 0, "0", "mask")]
        for n in range(1, rounds + 1):
            with _bar(f"round {n}") as step:
                asked = turn(session, robot, step)
            if asked is None:
                break
            kind = session.rounds[-1].kind
            lines.append(_line(session, n, f"{asked.frame} (object {asked.object})", kind))
        print(f"\n{'round':>5}  {'frame':<14}{'type':<8}{'seconds':>8}{'J&F':>8}{'predicted':>11}")
        print("\n".join(lines))
        _contact_sheet(session, output / "after.png")
        plot_chart(Chart.of_session(session.curve), output / "curve.png")
        session.export("davis", output / "masks", overwrite=True)
        session.export("overlay", output / "overlay.mp4", overwrite=True)
    print(f"\nPictures, curve and masks are in {output}/")


@contextmanager
def _bar(label: str) -> Iterator[Callable[[PropagationStep], None]]:
    """A progress bar that follows the steps of one propagation."""
    with tqdm(desc=label, unit="step", leave=False) as bar:

        def follow(step: PropagationStep) -> None:
            bar.total = step.total
            bar.update(step.done - bar.n)

        yield follow


def _line(session: Session, n: int, where: str, kind: str) -> str:
    point = session.curve[-1]
    return (
        f"{n:>5}  {where:<14}{kind:<8}{point.seconds:>8.1f}"
        f"{point.true or 0:>8.3f}{point.predicted or 0:>11.3f}"
    )


def _contact_sheet(session: Session, path: Path) -> None:
    """Nine evenly spaced frames with their masks, as one picture."""
    picked = np.linspace(0, session.video.n_frames - 1, 9).round().astype(int)
    colors = {o.id: o.color for o in session.objects}
    tiles = [overlay(session.video.frame(i), session.masks[i], colors) for i in picked]
    sheet = np.vstack([np.hstack(tiles[i : i + 3]) for i in (0, 3, 6)])
    Image.fromarray(sheet).resize((1281, 1281 * sheet.shape[0] // sheet.shape[1])).save(path)
