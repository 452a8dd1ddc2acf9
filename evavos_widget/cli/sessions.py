"""`evavos demo`, `lab`, `export` and `costs`: sessions from the command line."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["add_parsers"]


def add_parsers(commands: Any) -> None:
    """Add them to the commands of ``evavos``."""
    demo = commands.add_parser("demo", help="the loop on the embedded clip, with a robot annotator")
    demo.add_argument("--output", type=Path, default=Path("demo-output"))
    demo.add_argument("--rounds", type=int, default=6)
    demo.set_defaults(run=_demo)

    lab = commands.add_parser("lab", help="open the annotator in JupyterLab")
    lab.add_argument("notebook", nargs="?", default="examples/01_annotate.ipynb")
    lab.add_argument("options", nargs=argparse.REMAINDER, help="passed on to jupyter lab")
    lab.set_defaults(run=_lab)

    export = commands.add_parser("export", help="take the masks of a session away")
    export.add_argument("session", type=Path, help="the session's folder, NAME.evavos")
    export.add_argument(
        "--format",
        default="davis",
        help="davis (default), youtube-vos, coco, youtube-vis, overlay, numpy or pointvos",
    )
    export.add_argument("--video", help="where the video is now, if it moved")
    export.add_argument("--output", type=Path)
    export.add_argument("--overwrite", action="store_true")
    export.set_defaults(run=_export)

    costs = commands.add_parser("costs", help="what annotations cost in sessions of your own")
    costs.add_argument("sessions", type=Path, nargs="+", help="folders, NAME.evavos")
    costs.add_argument("--out", type=Path, help="a file for evavos experiment --costs")
    costs.set_defaults(run=_costs)


def _demo(args: argparse.Namespace) -> None:
    from evavos_widget.demo import run_demo

    run_demo(args.output, args.rounds)


def _lab(args: argparse.Namespace) -> None:
    notebook = Path(args.notebook)
    if not notebook.exists():
        raise FileNotFoundError(
            f"there is no notebook {str(notebook)!r}; "
            "run this where the examples are, or give a notebook's path."
        )
    command = [sys.executable, "-m", "jupyterlab", str(notebook), *args.options]
    os.execv(sys.executable, command)


def _export(args: argparse.Namespace) -> None:
    from evavos_widget.session import Session

    with Session.open(args.session, video=args.video) as session:
        if session.stale:
            print(f"{len(session.stale)} frames wait for a pass; propagating first")
            session.propagate(progress=sys.stderr.isatty())
        options = {"overwrite": args.overwrite} if args.output is not None else {}
        print(session.export(args.format, args.output, **options))


def _costs(args: argparse.Namespace) -> None:
    from dataclasses import asdict

    from evavos_widget.prompts import Costs
    from evavos_widget.robot.costs import measured_costs, write_costs

    costs, counts = measured_costs(args.sessions)
    print("annotations: " + (", ".join(f"{n} {k}" for k, n in counts.items() if n) or "none"))
    for name, seconds in asdict(costs).items():
        kept = getattr(Costs(), name)
        print(f"{name:10s} {seconds:6.2f} s" + ("" if seconds == kept else f"  (was {kept:g})"))
    if args.out is not None:
        write_costs(costs, args.out)
