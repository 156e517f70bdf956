"""Papers: records that a storefront's clients keep by hand in a room, with no effect on what the room does.

A room that keeps some has `migration(nth)` among its own, and the pair of methods at its desk. `scope` says whose they
are; what is in a paper only its storefront knows.
"""

from collections.abc import Mapping

from amends import Migration, Tx
from amends.connections import Reader

put_paper = """
insert into papers (scope, id, body) values (:scope, :id, :body)
on conflict (scope, id) do nothing
"""
replace_paper = "update papers set body = :body where scope = :scope and id = :id"
remove_paper = "delete from papers where scope = :scope and id = :id"
select_paper = "select body from papers where scope = :scope and id = :id"


def migration(nth: int) -> Migration:
    """The room's migration number `nth`."""
    create = """
        create table papers (
            scope text not null,
            id text not null,
            body text not null,
            primary key (scope, id)
        )
        """
    return Migration(nth, "papers", (create,))


async def put_papers(tx: Tx, scope: str, papers: Mapping[str, str]) -> None:
    """Keeps new ones, by id; one that is there stays as it is."""
    await tx.run_many(put_paper, [(scope, id, body) for id, body in sorted(papers.items())])


async def change_paper(tx: Tx, scope: str, id: str, body: str | None) -> bool:
    """Replaces one, or removes it when there is no body; False when there is none."""
    if body is None:
        return await tx.run(remove_paper, (scope, id)) == 1
    return await tx.run(replace_paper, (body, scope, id)) == 1


async def find_paper(reader: Reader, scope: str, id: str) -> str | None:
    rows = await reader.fetch(select_paper, (scope, id))
    return rows[0][0] if rows else None
