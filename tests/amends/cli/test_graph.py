"""graph NAME: as text, as SVG, as data."""

import json
from pathlib import Path
from xml.etree import ElementTree

from amends import Command, Saga, begun, best_effort, pivot
from amends.commands.graph import drawing, svg
from tests.amends.cli.conftest import Amends
from tests.amends.cli.journeys import Trip, cancel_room, pay, send_tickets, take_trip


def test_a_definition_is_drawn_with_groups_kinds_and_compensations(amends: Amends) -> None:
    said = amends("graph", "take-trip")

    assert [line.rstrip() for line in said.out.splitlines()] == [
        f"take-trip  version {take_trip.version}, input Trip, deadline 30 s",
        "",
        "  ● book room           hotels.BookRoom     ↩ hotels.CancelRoom",
        "  │",
        "  ├─┬ book flight       flights.BookFlight  ↩ flights.CancelFlight",
        "  │ └ book second room  hotels.BookRoom     ↩ hotels.CancelRoom",
        "  │",
        "  ◆ pay                 flights.Pay         pivot: the point of no return",
        "  ┃",
        "  ● send tickets        hotels.SendTickets  retriable: until done",
    ]


def test_begun_and_best_effort_steps_say_so() -> None:
    saga = Saga(
        "short-trip", Trip, begun("open", undo=cancel_room), pivot("pay", pay), best_effort("tell", send_tickets)
    )

    drawn = {line.rail: (line.asks, line.note) for line in drawing(saga)}

    assert drawn["● open"] == ("done as the saga starts", "↩ hotels.CancelRoom")
    assert drawn["● tell"] == ("hotels.SendTickets", "best effort: may fail")


def test_a_builder_that_makes_several_commands_is_named() -> None:
    def pay_somehow(trip: Trip) -> Command:
        return pay(trip) if trip.place else send_tickets(trip)

    saga = Saga("somehow", Trip, pivot("pay", pay_somehow))

    assert [line.asks for line in drawing(saga)] == ["pay_somehow()"]


def test_a_picture_is_svg_with_the_text_as_text(tmp_path: Path, amends: Amends) -> None:
    file = tmp_path / "trip.svg"

    said = amends("graph", "take-trip", "--svg", str(file))
    texts = [each.text for each in ElementTree.parse(file).iter("{http://www.w3.org/2000/svg}text")]

    assert said.out == f"wrote {file}\n"
    assert [step.name for step in take_trip.steps] == [text for text in texts if text in take_trip.index]
    assert "↩ flights.CancelFlight" in texts
    assert "only forward from here" in texts


def test_names_in_a_picture_are_escaped() -> None:
    saga = Saga("a & <b>", Trip, pivot("pay <all>", pay))

    assert ElementTree.fromstring(svg(saga)).find(".//{*}title") is not None
    assert "pay &lt;all&gt;" in svg(saga)


def test_a_picture_follows_a_dark_system() -> None:
    assert "prefers-color-scheme: dark" in svg(take_trip)


def test_a_definition_as_data(amends: Amends) -> None:
    graph = json.loads(amends("graph", "take-trip", "--json").out)

    assert [(step["name"], step["group"]) for step in graph["steps"]] == [
        ("book room", 0),
        ("book flight", 1),
        ("book second room", 1),
        ("pay", 2),
        ("send tickets", 3),
    ]
    assert graph["steps"][0]["undo"] == "hotels.CancelRoom"


def test_an_unknown_name_is_refused_with_those_that_are_known(amends: Amends) -> None:
    said = amends("graph", "no-trip")

    assert (said.code, said.error) == (2, "amends: no saga is called 'no-trip': there are take-trip\n")
