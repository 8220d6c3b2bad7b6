"""The table that comes out, and the arithmetic behind it."""

import math
import statistics


class Table:
    """Rows of figure, measured, goal, met."""

    def __init__(self):
        self.rows = []

    def goal(self, figure, measured, goal, met):
        self.rows.append((figure, measured, goal, "yes" if met else "no"))

    def note(self, figure, measured):
        """A figure without a goal, which explains the one above it."""
        self.rows.append((f"  {figure}", measured, "", ""))

    def text(self):
        rows = [("figure", "measured", "goal", "met"), *self.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n" + "\n".join(lines) + "\n"


def percentile(values, share):
    """The nearest rank: the 19th of 20 values is their 95th percentile."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values):
    return statistics.median(values)


def spread(values, unit="ms"):
    return f"{min(values):.0f} to {max(values):.0f} {unit}, n={len(values)}"
