"""The map of exchanges from country to country."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from services.console.domain.planning import Arc
from services.console.world_map import HEIGHT, WIDTH, shapes_of, world_map


def an_atlas(*countries: tuple[str | None, str, list[list[float]]]) -> dict[str, Any]:
    """TopoJSON with one outline a country, in whole degrees east and north."""
    arcs, geometries = [], []
    for number, (id, name, outline) in enumerate(countries):
        steps = [outline[0]] + [[x - before[0], y - before[1]] for before, (x, y) in pairwise(outline)]
        arcs.append(steps)
        geometry: dict[str, Any] = {"type": "Polygon", "arcs": [[number]], "properties": {"name": name}}
        geometries.append(geometry | ({"id": id} if id else {}))
    return {
        "transform": {"scale": [1, 1], "translate": [0, 0]},
        "arcs": arcs,
        "objects": {"countries": {"geometries": geometries}},
    }


def square(east: float, north: float, side: float = 4) -> list[list[float]]:
    return [
        [east, north],
        [east + side, north],
        [east + side, north + side],
        [east, north + side],
        [east, north],
    ]


def test_countries_are_known_by_their_numbers_and_kosovo_by_its_name() -> None:
    atlas = an_atlas(
        ("380", "Italy", square(10, 42)), (None, "Kosovo", square(20, 42)), (None, "N.", square(30, 36))
    )
    assert [shape.code for shape in shapes_of(atlas)] == ["IT", "XK"]


def test_what_is_out_of_the_picture_is_left_out_and_what_reaches_beyond_is_cut() -> None:
    atlas = an_atlas(("076", "Brazil", square(-50, -20)), ("643", "Russia", square(40, 50, 60)))
    (russia,) = shapes_of(atlas)
    assert russia.code == "RU"
    assert 0 <= russia.middle[0] <= WIDTH + 20
    assert -20 <= russia.middle[1] <= HEIGHT + 20


@pytest.mark.parametrize("code", ["MT", "LU", "CY", "XK", "IS", "AM", "PT", "FI"])
def test_small_and_far_countries_are_on_it(code: str) -> None:
    (flow,) = world_map([Arc(code, "DE", 1)]).flows
    assert (flow.source, flow.target) == (code, "DE")


def test_more_exchanges_are_drawn_thicker_and_on_top() -> None:
    shown = world_map([Arc("PT", "IT", 5), Arc("FR", "IT", 1), Arc("ZZ", "IT", 9)])
    assert [flow.count for flow in shown.flows] == [1, 5]
    assert shown.flows[0].width < shown.flows[1].width
    assert shown.taking_part == {"PT", "FR", "IT"}


def test_the_way_back_is_beside_the_way_there() -> None:
    there, back = world_map([Arc("FR", "IT", 1), Arc("IT", "FR", 1)]).flows
    assert there.path.split("Q")[1].split(" ")[0] != back.path.split("Q")[1].split(" ")[0]
