"""The command line: `evavos` and `python -m evavos_widget`; a module for each group of commands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from evavos_widget import __version__
from evavos_widget.cli import benchmark, evaluate, experiment, models, pointvos, sessions, vng
from evavos_widget.files import in_words
from evavos_widget.notebook import plain_warnings
from evavos_widget.quantities import as_count

__all__ = ["main"]

AGENTS = ("collect", "qnet", "policy", "ivosw", "joint", "evaluate")
"""Of ``evavos train``: loops to learn from, and the agents that learn from them."""

TRAININGS = {
    "compact": "evavos_widget.training.compact",
    "dynamite": "evavos_widget.training.dynamite",
    "stcn-points": "evavos_widget.training.stcn",
    **dict.fromkeys(AGENTS, "evavos_widget.training.agents.command"),
}
"""What ``evavos train`` trains, and whose command that is."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status, 1 after an error that was told in a sentence."""
    try:
        try:
            with plain_warnings():
                return _run(sys.argv[1:] if argv is None else list(argv))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads, as `head` does, has enough; Python would say so at its end once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError, RuntimeError, LookupError, ImportError) as error:
        print(f"evavos: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("evavos: stopped", file=sys.stderr)
        return 130


def _run(given: list[str]) -> int:
    if given[:1] == ["train"] and given[1:2] and given[1] in TRAININGS:
        # Their options are their own, and need PyTorch.
        own = given[1:] if given[1] in AGENTS else given[2:]
        return import_module(TRAININGS[given[1]]).main(own)
    if given[:2] == ["vng", "train"]:
        return import_module("evavos_widget.training.vng").main(given[2:])
    args = _parser().parse_args(given)
    if "seed" in args:  # no generator takes one below 0
        as_count("--seed", args.seed, 0)
    args.run(args)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evavos", description="Masks on video, with an agent that says what to annotate next."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")

    sessions.add_parsers(commands)
    evaluate.add_parsers(commands)
    pointvos.add_parsers(commands)
    vng.add_parsers(commands)
    experiment.add_parsers(commands)
    train = commands.add_parser("train", help="train the networks that come with the package")
    train.add_argument("what", choices=list(TRAININGS), help="see evavos train WHAT --help")
    benchmark.add_parsers(commands)
    models.add_parsers(commands)
    return parser
