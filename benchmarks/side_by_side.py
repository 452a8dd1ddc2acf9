"""What this package and another one take for the same, in one run, as a row of one table."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["Comparison", "in_turns", "processor", "table"]


@dataclass(frozen=True)
class Comparison:
    """One thing, done by both.

    Parameters
    ----------
    what : str
        What is done, and on what.
    other : str
        The package that is compared with.
    unit : str
        Of the numbers, such as ``'ms'``.
    pairs : sequence of (float, float)
        What it took here and there, one right after the other; less is better.
    """

    what: str
    other: str
    unit: str
    pairs: Sequence[tuple[float, float]]

    @property
    def here(self) -> float:
        """Median of what it took here."""
        return median(pair[0] for pair in self.pairs)

    @property
    def there(self) -> float:
        """Median of what it took there."""
        return median(pair[1] for pair in self.pairs)

    @property
    def ratios(self) -> tuple[float, float, float]:
        """What it took there / here: the least, the median and the largest of the pairs."""
        ratios = sorted(there / here for here, there in self.pairs)
        return ratios[0], median(ratios), ratios[-1]

    def as_json(self) -> dict[str, Any]:
        """All of it, with numbers as they are."""
        return {
            "what": self.what,
            "other": self.other,
            "unit": self.unit,
            "here": self.here,
            "there": self.there,
            "ratio": self.ratios[1],
            "ratio_from_to": [self.ratios[0], self.ratios[2]],
            "pairs": [list(pair) for pair in self.pairs],
        }


def in_turns(
    here: Callable[[], float], there: Callable[[], float], repeats: int
) -> list[tuple[float, float]]:
    """Measure both, one after the other, so that what else the machine does disturbs both."""
    return [(here(), there()) for _ in range(repeats)]


def processor() -> str:
    """Its name, and which of its units PyTorch makes use of."""
    import torch

    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    bfloat16 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    units = torch.backends.cpu.get_cpu_capability() + (", bfloat16" if bfloat16 else "")
    return f"{name} ({units}), {torch.get_num_threads()} threads"


def table(comparisons: Sequence[Comparison]) -> str:
    """A Markdown table, medians, a row for each."""
    rows = [
        "| what | here | there | compared with | times as much there |",
        "|---|---|---|---|---|",
    ]
    for each in comparisons:
        least, middle, most = each.ratios
        spread = f" ({least:.2f} to {most:.2f})" if len(each.pairs) > 1 else ""
        rows.append(
            f"| {each.what} | {_number(each.here)} {each.unit} | {_number(each.there)} {each.unit} "
            f"| `{each.other}` | {middle:.2f}{spread} |"
        )
    return "\n".join(rows)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
