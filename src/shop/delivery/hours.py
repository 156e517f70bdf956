"""The page `opening_hours`: how many couriers a calendar has in an hour of any day, where its slots are not set."""

from collections.abc import Mapping, Sequence

from amends import Migration, Tx
from amends.connections import Reader

MIGRATION = Migration(
    5,
    "opening hours",
    (
        """
        create table opening_hours (
            calendar text not null references calendars (name),
            hour bigint not null check (hour between 0 and 23),
            couriers bigint not null check (couriers > 0),
            primary key (calendar, hour)
        )
        """,
    ),
)

insert_calendar = "insert into calendars (name, couriers) values (:name, null) on conflict (name) do nothing"
insert_hour = """
insert into opening_hours (calendar, hour, couriers)
values (:calendar, :hour, :couriers)
on conflict (calendar, hour) do nothing
"""
select_hours = "select calendar, hour, couriers from keys cross join opening_hours where calendar = key"


async def open_hours(tx: Tx, calendar: str, couriers: Mapping[int, int]) -> None:
    """Opens a calendar in these hours, 0 to 23 in UTC, each with its couriers; hours that are open stay as they are."""
    await tx.run(insert_calendar, (calendar,))
    await tx.run_many(insert_hour, [(calendar, hour, count) for hour, count in sorted(couriers.items())])


async def find_hours(reader: Reader, calendars: Sequence[str]) -> dict[tuple[str, int | None], int]:
    """The couriers by calendar and hour."""
    rows = await reader.fetch_each(select_hours, sorted({*calendars}))
    return {(calendar, hour): couriers for calendar, hour, couriers in rows}
