"""How far two annotators agree on the same points, from their files in the Point-VOS format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evavos_widget.formats.pointvos import NAMESPACE, STATUSES, Report, read

__all__ = ["PointAgreement", "compare"]

_LABELS = tuple(STATUSES.values())


@dataclass(frozen=True)
class PointAgreement:
    """What two annotators said of the points that both were asked about.

    Parameters
    ----------
    table : mapping of (str, str) -> int
        How many points have the status of the first and that of the second annotator.
    only_a, only_b : int
        Points that only one of them has.
    """

    table: Mapping[tuple[str, str], int]
    only_a: int
    only_b: int

    @property
    def both(self) -> int:
        """Points that both have."""
        return sum(self.table.values())

    @property
    def agreement(self) -> float | None:
        """The share of these on which they say the same, 0 to 1; None without any."""
        if not self.both:
            return None
        return sum(self.table[label, label] for label in _LABELS) / self.both

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa: 1 is agreement, 0 what chance gives; None where it is not defined.

        It is not where both say one and the same of every point.
        """
        counts = np.array([[self.table[a, b] for b in _LABELS] for a in _LABELS], float)
        total = counts.sum()
        if not total:
            return None
        by_chance = float(counts.sum(axis=1) @ counts.sum(axis=0)) / total**2
        observed = float(np.trace(counts)) / total
        return (observed - by_chance) / (1 - by_chance) if by_chance < 1 else None


def compare(
    a: str | Path, b: str | Path, report: Report | None = None
) -> dict[str, PointAgreement]:
    """Compare two files, point by point: the same object, frame and pixel.

    Parameters
    ----------
    a, b : path-like
        As for `formats.pointvos.read`.
    report : callable, optional
        As there.

    Returns
    -------
    dict of str -> PointAgreement
        ``'all'``, and by what the points were proposed as, where the first file says it.

    Raises
    ------
    FileNotFoundError
        One of the files is not there.
    """
    first, regions = _points(a, report)
    second, _ = _points(b, report)
    groups = {"all": set(first) | set(second)}
    for region in dict.fromkeys(regions.values()):
        groups[region] = {point for point, r in regions.items() if r == region}
    return {name: _agreement(first, second, points) for name, points in groups.items()}


_Place = tuple[str, str | None, int, int]


def _points(path: str | Path, report: Report | None) -> tuple[dict[_Place, str], dict[_Place, str]]:
    """Status and region of the points of a file, by object, frame, column and row."""
    statuses: dict[_Place, str] = {}
    regions: dict[_Place, str] = {}
    for found in read(path, report):
        for p in found.points:
            place = found.question_hash, p.frame_id, p.x, p.y
            statuses[place] = p.status
            own = p.extra.get(NAMESPACE)
            if isinstance(own, Mapping) and isinstance(own.get("region"), str):
                regions[place] = own["region"]
    return statuses, regions


def _agreement(
    first: Mapping[_Place, str], second: Mapping[_Place, str], points: set[_Place]
) -> PointAgreement:
    table = {(a, b): 0 for a in _LABELS for b in _LABELS}
    only_a = only_b = 0
    for point in points:
        if point not in second:
            only_a += 1
        elif point not in first:
            only_b += 1
        else:
            table[first[point], second[point]] += 1
    return PointAgreement(table, only_a, only_b)
