"""A record's digest tells runs apart; its picture shows who did what, where messages went, and what was left out."""

from collections import Counter
from collections.abc import Iterable
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amends.testing.histories import Detail, Happening, Record, to_svg

Told = tuple[float, str, str, Detail, str]

words = st.text(max_size=6)
texts = st.text(st.characters(exclude_categories=()), max_size=4)
verbs = st.sampled_from(
    [
        "sent",
        "delivered",
        "lost",
        "copied",
        "committed",
        "commit lost",
        "crashed",
        "restarted",
        "froze",
        "woke",
        "effect",
    ]
)
messages = st.fixed_dictionaries({"message": st.sampled_from("1234"), "type": words, "to": st.sampled_from("abcd")})
details = st.one_of(texts, messages, st.dictionaries(texts, texts, max_size=2))
told = st.tuples(
    st.floats(0.0, 99.0), st.sampled_from(["a", "b", "c", "world"]), verbs | texts, details, st.sampled_from("xy")
)


def recorded(happenings: Iterable[Told]) -> Record:
    record = Record()
    for each in happenings:
        record.add(*each)
    return record


def message(id: str, type: str, to: str) -> dict[str, str]:
    return {"message": id, "type": type, "to": to}


HOLD, HELD = message("m1", "HoldMoney", "billing"), message("m2", "MoneyHeld", "orders")
ORDER: list[Told] = [
    (0.0, "orders", "sent", HOLD, "s1"),
    (0.1, "billing", "delivered", HOLD, "s1"),
    (0.1, "billing", "effect", {"hold": "30"}, "s1"),
    (0.1, "billing", "committed", "", ""),
    (0.1, "billing", "sent", HELD, "s1"),
]


class Drawn:
    """What a picture has: shapes by their classes, and all its texts."""

    def __init__(self, happenings: Iterable[Told], most: int = 120) -> None:
        root = ElementTree.fromstring(to_svg(recorded(happenings), "Seed 7: a < b", most))
        self.shapes = Counter((each.get("class") or "").strip() for each in root.iter())
        self.texts = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
        self.tips = len(list(root.iter("{http://www.w3.org/2000/svg}polygon")))
        self.high = {each.get("class"): float(each.get("height", "0")) for each in root.iter()}


def test_same_history_has_the_same_digest_in_every_process() -> None:
    assert recorded(ORDER).digest() == "3fc60c8a6c164daae198d8be7c61c7bc305abbd41fa0573fde826443b37fae5f"


def test_order_of_details_does_not_count() -> None:
    one, other = {"type": "Hold", "to": "billing"}, {"to": "billing", "type": "Hold"}
    assert recorded([(0.0, "a", "sent", one, "")]).digest() == recorded([(0.0, "a", "sent", other, "")]).digest()


@given(st.lists(told, max_size=3), st.lists(told, max_size=3))
def test_digests_are_equal_when_histories_are(one: list[Told], other: list[Told]) -> None:
    assert (recorded(one).digest() == recorded(other).digest()) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((0.0, "ab", "c", "", ""), (0.0, "a", "bc", "", "")),
        ((0.0, "a", "b", "c", ""), (0.0, "a", "b", "", "c")),
        ((0.0, "a", "b", "", ""), (0.0, "a", "b", {}, "")),
        ((0.0, "a", "b", "c d", ""), (0.0, "a", "b", {"c": "d"}, "")),
        ((0.1 + 0.2, "a", "b", "", ""), (0.3, "a", "b", "", "")),
    ],
)
def test_happenings_that_read_alike_have_different_digests(one: Told, other: Told) -> None:
    assert recorded([one]).digest() != recorded([other]).digest()


def test_digest_may_be_taken_on_the_way() -> None:
    record = Record()
    for at, each in enumerate(ORDER, 1):
        record.add(*each)
        assert record.digest() == recorded(ORDER[:at]).digest()


def test_lines_say_when_who_and_what() -> None:
    assert recorded(ORDER).lines() == [
        "    0.000  orders         sent HoldMoney to billing, message m1 [s1]",
        "    0.100  billing        delivered HoldMoney to billing, message m1 [s1]",
        "    0.100  billing        effect hold 30 [s1]",
        "    0.100  billing        committed",
        "    0.100  billing        sent MoneyHeld to orders, message m2 [s1]",
    ]


def test_record_keeps_its_happenings_in_order() -> None:
    record = recorded(ORDER)
    assert len(record) == len(ORDER)
    assert list(record)[2] == Happening(2, 0.1, "billing", "effect", {"hold": "30"}, "s1")


def test_message_flies_from_lane_to_lane() -> None:
    drawn = Drawn(ORDER)
    assert drawn.texts.count("orders") == drawn.texts.count("billing") == 2
    assert drawn.texts.count("HoldMoney") == 2
    assert "hold 30" in drawn.texts
    assert drawn.shapes["way s0"] == drawn.tips == 1
    assert drawn.shapes["way s0 kept"] == 1


def test_lost_message_is_cut_off_and_its_copy_arrives() -> None:
    told = (0.0, "orders", "copied", HOLD, "s1"), (0.0, "orders", "lost", HELD, "s1")
    again = (0.2, "billing", "delivered", HOLD, "s1")
    drawn = Drawn([ORDER[0], told[0], (0.0, "orders", "sent", HELD, "s1"), told[1], ORDER[1], again, again])
    assert drawn.shapes["way s0"] == drawn.shapes["way s0 copied"] == drawn.shapes["way s0 again"] == 1
    assert drawn.shapes["way s0 lost"] == drawn.shapes["cut"] == 1
    assert "lost" in drawn.texts


def test_lane_is_shaded_while_its_process_is_dead_or_frozen() -> None:
    drawn = Drawn(
        [
            *((float(at), "orders", what, "", "") for at, what in enumerate(["froze", "woke", "crashed"])),
            *((9.0, "billing", "committed", str(at), "") for at in range(10)),
        ]
    )
    assert drawn.shapes["frozen"] == drawn.shapes["dead"] == 1
    assert drawn.high["dead"] > 2 * drawn.high["frozen"]


def test_each_saga_has_a_colour() -> None:
    drawn = Drawn((0.1 * at, "orders", "sent", message(str(at), "Hold", "billing"), f"s{at}") for at in range(9))
    assert all(drawn.shapes[f"way s{colour} kept"] for colour in range(6))
    assert "saga s5" in drawn.texts
    assert "and 3 more" in drawn.texts


def test_what_repeats_is_counted() -> None:
    assert "committed ×3" in Drawn([(0.1 * at, "orders", "committed", "", "") for at in range(3)]).texts


def test_what_happens_to_the_world_goes_through_all_lanes() -> None:
    drawn = Drawn([*ORDER, (1.0, "world", "violated", "money is conserved", "")])
    assert "violated money is conserved" in drawn.texts
    assert "world" not in drawn.texts


def test_of_a_long_record_the_ends_are_drawn() -> None:
    drawn = Drawn([(float(at), "orders", f"did {at}", "", "") for at in range(1000)], most=20)
    assert "980 happenings left out" in drawn.texts
    assert [text for text in drawn.texts if text.startswith("did")] == [
        f"did {at}" for at in (*range(10), *range(990, 1000))
    ]
    assert "1000 happenings in 999.000 s of virtual time" in "".join(drawn.texts)


def test_message_that_flies_over_the_gap_is_drawn_from_or_to_it() -> None:
    idle = [(1.0, "orders", f"did {at}", "", "") for at in range(50)]
    late = message("m9", "Late", "billing")
    drawn = Drawn(
        [*ORDER, *idle, (2.0, "orders", "sent", late, ""), *idle, (3.0, "billing", "delivered", late, "")], 10
    )
    assert drawn.shapes["way s-1"] == 1


def test_message_to_somebody_left_out_is_drawn_as_one_under_way() -> None:
    idle: list[Told] = [(1.0, "orders", f"did {at}", "", "") for at in range(50)]
    drawn = Drawn([ORDER[0], *idle, ORDER[1], *idle], most=10)
    assert drawn.shapes["way s0 kept"] == 1
    assert "billing" not in drawn.texts


def test_words_are_escaped() -> None:
    drawn = Drawn([(0.0, "<b>", "did", "a & b\x00\ud800", "")])
    assert "Seed 7: a < b" in drawn.texts
    assert "<b>" in drawn.texts
    assert "did a & b" in "".join(drawn.texts)


def test_part_of_a_record_can_be_drawn() -> None:
    assert "HoldMoney" in to_svg([each for each in recorded(ORDER) if each.saga], "One saga")


def test_nothing_is_a_picture_too() -> None:
    assert "0 happenings" in to_svg(Record(), "Nothing")


@given(st.lists(told, max_size=30), st.integers(1, 12))
@settings(deadline=None)
def test_any_record_is_a_well_formed_picture(happenings: list[Told], most: int) -> None:
    Drawn(happenings, most)
