"""`evavos models`: weights, which there are and where."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["add_parsers"]


def add_parsers(commands: Any) -> None:
    """Add them to the commands of ``evavos``."""
    models = commands.add_parser("models", help="weights: which there are, and where")
    doing = models.add_subparsers(required=True, metavar="what")
    doing.add_parser("list", help="names, terms, sources").set_defaults(run=_models_list)
    doing.add_parser("verify", help="check the files that are there").set_defaults(
        run=_models_verify
    )
    for what, run, told in (
        ("download", _models_download, "get a file, or the rest of it"),
        ("path", _models_path, "where the file is, or would be"),
    ):
        one = doing.add_parser(what, help=told)
        one.add_argument("name")
        one.set_defaults(run=run)


def _models_list(args: argparse.Namespace) -> None:
    from evavos_widget.checkpoints import DOWNLOADS, HUB, expected_sha256, place, shipped

    for name, entry in shipped().items():
        print(f"{name:15s} comes with the package; {entry.licence}")
    for name, entry in {**DOWNLOADS, **HUB}.items():
        there = "here" if place(name).exists() else "not here"
        size = "of unknown size" if entry.size is None else f"{entry.size / 1e6:.1f} MB"
        print(
            f"{name:15s} {there}, {size}; {entry.licence}; "
            f"trained on {entry.trained}\n{'':15s} {entry.url}\n"
            f"{'':15s} SHA-256 {expected_sha256(name) or 'recorded at the first download'}"
        )


def _models_download(args: argparse.Namespace) -> None:
    from evavos_widget.checkpoints import HUB, download, find, hub_folder, shipped

    get = find if args.name in shipped() else hub_folder if args.name in HUB else download
    print(get(args.name))


def _models_verify(args: argparse.Namespace) -> None:
    from evavos_widget.checkpoints import DOWNLOADS, HUB, place, shipped, verify

    for name in [*shipped(), *DOWNLOADS, *HUB]:
        if place(name).exists():
            print(f"{name:15s} {verify(name)}")


def _models_path(args: argparse.Namespace) -> None:
    from evavos_widget.checkpoints import place

    print(place(args.name))
