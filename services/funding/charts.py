"""The forecast as a picture: exchanges and money by month, what is expected and the range it lies in.

SVG or PNG, from 320 pixels (the panels below each other) to a wide screen (beside each other). Colours stay
apart for the colour-blind and in grey; an SVG says in words what it shows. The same forecast gives the
same bytes.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from datetime import date
from html import escape
from typing import Final, Literal, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from services.funding.domain.forecast import Amounts, Counts, Forecast
from services.funding.domain.rates import written

NARROWEST: Final = 320
WIDEST: Final = 2_400

_DPI: Final = 96
"""What browsers make of a picture's inches, so that a width is meant in their pixels."""
_BESIDE: Final = 700
"""Pixels from which on the panels stand beside each other."""

_INK: Final = "#212529"
_GREY: Final = "#6c757d"
_GRID: Final = "#e3e7eb"
_ACCENT: Final = "#154c79"
_BAND: Final = "#9fc3e2"
_NEW: Final = "#c4570a"

_STYLE: Final = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "svg.hashsalt": "forecast",
    "text.color": _INK,
    "axes.labelcolor": _GREY,
    "axes.edgecolor": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
}


class _Panel(NamedTuple):
    title: str
    start: float
    open: Sequence[Counts | Amounts]
    with_new: Sequence[Counts | Amounts]
    goal: float
    goal_name: str


def draw(forecast: Forecast, name: str, *, format: Literal["svg", "png"], width: int) -> bytes:
    """The picture, so many pixels wide; `name` is the partnership's."""
    beside = width >= _BESIDE
    inches = width / _DPI
    lines = textwrap.wrap(_title(forecast, name), int(inches * 11))
    head = 0.4 + 0.19 * len(lines)
    foot, body = (0.74, min(2.9, 0.25 * inches + 0.5)) if beside else (1.1, 3.9)
    height = head + body + foot
    with rc_context(_STYLE):
        figure = Figure(figsize=(inches, height), dpi=_DPI)
        figure.text(
            0.1 / inches,
            1 - 0.08 / height,
            "\n".join(lines),
            va="top",
            size=10.5,
            weight="bold",
            color=_ACCENT,
            linespacing=1.25,
            parse_math=False,
        )
        panels = figure.subplots(1 if beside else 2, 2 if beside else 1, squeeze=False).ravel()
        figure.subplots_adjust(
            left=0.5 / inches,
            right=1 - 0.16 / inches,
            top=1 - head / height,
            bottom=foot / height,
            wspace=0.15 if beside else 0,
            hspace=0.42,
        )
        for ax, panel in zip(panels, _panels(forecast), strict=True):
            _draw_panel(ax, panel, forecast, ticks=3 if width / len(panels) < 500 and beside else 4)
        figure.legend(
            handles=_legend(),
            loc="lower left",
            bbox_to_anchor=(0.04 / inches, 0.02 / height),
            ncols=3 if beside else 1,
            frameon=False,
            fontsize=8,
            labelcolor=_INK,
            handlelength=2.2,
            columnspacing=1.6,
            labelspacing=0.35,
        )
        said = describe(forecast, name)
        file = io.BytesIO()
        if format == "png":
            figure.savefig(
                file, format="png", facecolor="white", metadata={"Title": name, "Description": said}
            )
            return file.getvalue()
        figure.savefig(file, format="svg", facecolor="white", metadata={"Date": None})
    return _accessible(file.getvalue(), _title(forecast, name), said)


def describe(forecast: Forecast, name: str) -> str:
    """What the picture shows, for those who cannot see it."""
    last = forecast.months[-1]
    done, spend = last.exchanges_total, last.spend_total
    new_done, new_spend = last.exchanges_with_new, last.spend_with_new
    return " ".join(
        (
            f"Forecast for {name} on {written(forecast.on)}, month by month until {_month(last.month)}.",
            f"Exchanges done: {forecast.objective.done} today; from open cases {done.expected:.0f} by then "
            f"({done.low} to {done.high} in eight of ten runs), with new exchanges at the present pace "
            f"{new_done.expected:.0f} ({new_done.low} to {new_done.high}); the objective is "
            f"{forecast.objective.objective}.",
            f"Spent: EUR {forecast.spent:,.0f} today; {spend.expected:,.0f} by then ({spend.low:,.0f} to "
            f"{spend.high:,.0f}), with new exchanges {new_spend.expected:,.0f} ({new_spend.low:,.0f} to "
            f"{new_spend.high:,.0f}); the budget is EUR {forecast.budget:,.0f}.",
            *(warning.sentence for warning in forecast.warnings),
        )
    )


def _title(forecast: Forecast, name: str) -> str:
    return f"{name}: forecast of {written(forecast.on)}"


def _panels(forecast: Forecast) -> tuple[_Panel, _Panel]:
    months, objective = forecast.months, forecast.objective
    return (
        _Panel(
            "Exchanges done",
            objective.done,
            [month.exchanges_total for month in months],
            [month.exchanges_with_new for month in months],
            objective.objective,
            f"objective {objective.objective}",
        ),
        _Panel(
            "Spent, EUR",
            float(forecast.spent),
            [month.spend_total for month in months],
            [month.spend_with_new for month in months],
            float(forecast.budget),
            f"budget {forecast.budget:,.0f}",
        ),
    )


def _draw_panel(ax: Axes, panel: _Panel, forecast: Forecast, *, ticks: int) -> None:
    at = range(len(panel.open) + 1)

    def line(spreads: Sequence[Counts | Amounts], part: Literal["low", "expected", "high"]) -> list[float]:
        return [panel.start, *(float(getattr(spread, part)) for spread in spreads)]

    ax.fill_between(at, line(panel.open, "low"), line(panel.open, "high"), color=_BAND, linewidth=0, zorder=2)
    ax.plot(at, line(panel.with_new, "low"), color=_NEW, linewidth=0.7, linestyle=(0, (1, 1.6)), zorder=3)
    ax.plot(at, line(panel.with_new, "high"), color=_NEW, linewidth=0.7, linestyle=(0, (1, 1.6)), zorder=3)
    ax.plot(
        at, line(panel.with_new, "expected"), color=_NEW, linewidth=1.6, linestyle=(0, (4, 1.6)), zorder=4
    )
    ax.plot(at, line(panel.open, "expected"), color=_ACCENT, linewidth=2.1, zorder=5)
    top = max(panel.goal, *line(panel.with_new, "high"), 1.0) * 1.16
    if panel.goal:
        # Where the lines begin it would be written over them.
        low = panel.goal < panel.start * 1.3
        ax.axhline(panel.goal, color=_INK, linewidth=1, linestyle=(0, (6, 2)), zorder=3)
        ax.text(
            len(panel.open) if low else 0,
            panel.goal + top * 0.015,
            panel.goal_name,
            va="bottom",
            ha="right" if low else "left",
            size=7.5,
            color=_INK,
            zorder=6,
        )
    ax.set_title(panel.title, loc="left", size=9, weight="bold", color=_INK, pad=7)
    ax.set_xlim(0, len(panel.open))
    ax.set_ylim(0, top)
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    ax.grid(axis="y", color=_GRID, linewidth=0.8, zorder=0)
    ax.tick_params(length=0, pad=4)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    every = -(-len(panel.open) // ticks)
    shown = range(0, len(panel.open) + 1, every)
    names = ["today", *(_month(month.month, short=True) for month in forecast.months)]
    ax.set_xticks(shown, [names[place] for place in shown])
    ax.get_xticklabels()[0].set_horizontalalignment("left")
    if shown[-1] == len(panel.open):
        ax.get_xticklabels()[-1].set_horizontalalignment("right")


def _legend() -> list[Line2D | Patch]:
    return [
        Line2D([], [], color=_ACCENT, linewidth=2.1, label="expected from open cases"),
        Patch(color=_BAND, linewidth=0, label="range, eight of ten runs"),
        Line2D(
            [], [], color=_NEW, linewidth=1.6, linestyle=(0, (4, 1.6)), label="with new exchanges, and range"
        ),
    ]


def _short(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g} M"
    return f"{value / 1_000:g} k" if value >= 10_000 else f"{value:,.0f}"


def _month(month: str, *, short: bool = False) -> str:
    first = date.fromisoformat(f"{month}-01")
    return f"{first:%b %y}" if short else f"the end of {first:%B %Y}"


def _accessible(svg: bytes, title: str, said: str) -> bytes:
    """The SVG with its title and description, for screen readers."""
    at = svg.index(b">", svg.index(b"<svg")) + 1
    named = svg[:at].replace(b"<svg", b'<svg role="img" aria-labelledby="forecast-title forecast-desc"', 1)
    words = (
        f'\n <title id="forecast-title">{escape(title)}</title>'
        f'\n <desc id="forecast-desc">{escape(said)}</desc>'
    )
    return named + words.encode() + svg[at:]
