"""Two-phase commit by PostgreSQL's prepared transactions: a vote of yes is a `PREPARE TRANSACTION`.

command ──hop──▶ noted in `xa_operations` ──runner──▶ prepare, commit or abort ──one transaction──▶ answered
                                                          janitor: by the coordinator's log, what nobody asks for

hotel = XaParticipant(Participant("hotel"))

@hotel.prepares(HoldRoom, commit=TakeRoom, abort=FreeRoom)
async def hold(tx: Tx, command: HoldRoom) -> Full | None: ...

storage = PostgresStorage(dsn, [Migration(1, "rooms", ROOMS), Migration(2, "xa", XA_TABLES)])
service = Service(storage, transport, runtime, signals, participant=hotel.participant)
runner = XaRunner(hotel, service, dsn, decisions=LoggedDecisions(Log(orders, [book])))
"""

from amends.adapters.postgres.xa.binding import XaParticipant
from amends.adapters.postgres.xa.janitor import InDoubt
from amends.adapters.postgres.xa.refusals import CommittedAlready, Lost
from amends.adapters.postgres.xa.runner import XA_TABLES, XaRunner
from amends.adapters.postgres.xa.settings import XaSettings

__all__ = ["XA_TABLES", "CommittedAlready", "InDoubt", "Lost", "XaParticipant", "XaRunner", "XaSettings"]
