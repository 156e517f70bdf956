"""Commands on all of a program's databases: migrate, check."""

from argparse import Namespace

from amends.commands.command import NO, OK, Command, Desk
from amends.commands.invariants import audit
from amends.commands.screen import clean, styled


async def _migrate(desk: Desk, _: Namespace) -> int:
    applied = await desk.home.migrate()
    desk.screen.show(applied, [(line,) for line in applied], (), (), "every database has the schema of this program")
    return OK


async def _check(desk: Desk, _: Namespace) -> int:
    async with desk.home.open() as storages:
        findings = await audit(desk.app, storages, desk.runtime.now())
    if desk.screen.json:
        desk.screen.data([each._asdict() for each in findings])
    else:
        rows = [
            (
                each.name,
                styled("yes" if each.holds else "NO"),
                ", ".join(f"{key} {n}" for key, n in each.figures.items()),
            )
            for each in findings
        ]
        desk.screen.table(rows, ("invariant", "holds", "figures"), keep=(1,))
        for each in (finding for finding in findings if not finding.holds):
            desk.screen.line(styled("NO") + clean(f" {each.name}: {each.detail}"))
    return OK if all(each.holds for each in findings) else NO


COMMANDS = (
    Command("migrate", "bring every database to this program's schema", "amends migrate --data data", _migrate),
    Command("check", "is everything in the databases consistent?", "amends check --json", _check),
)
