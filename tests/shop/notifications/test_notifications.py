from shop.notifications.audit import audit
from shop.notifications.contract import Notify
from shop.notifications.domain import Notification
from shop.notifications.tables import of_user
from tests.shop.conftest import AskedRoom


def notify(id: str, user_id: str = "ann") -> Notify:
    return Notify(id, user_id, f"{user_id}@example.org", f"text of {id}")


async def test_notification_is_kept_with_its_time(notifications: AskedRoom) -> None:
    assert await notifications.ask(notify("n1")) == ["Notified"]
    kept = [Notification("n1", "ann", "ann@example.org", "text of n1", 1000.0)]
    assert await notifications.see(of_user, "ann") == kept


async def test_one_id_asked_by_two_sagas_is_kept_once(notifications: AskedRoom) -> None:
    assert await notifications.ask(notify("n1"), notify("n1")) == ["Notified", "Notified"]
    assert await notifications.ask(notify("n1")) == ["Notified"]
    assert len(await notifications.see(of_user, "ann")) == 1


async def test_users_see_their_own_oldest_first(notifications: AskedRoom) -> None:
    await notifications.ask(notify("n2"), notify("n9", "bob"))
    notifications.runtime.time += 1
    await notifications.ask(notify("n1"))
    assert [each.id for each in await notifications.see(of_user, "ann")] == ["n2", "n1"]
    assert await notifications.see(of_user, "nobody") == []


async def test_audit_counts_what_is_kept_and_finds_an_emptied_text(notifications: AskedRoom) -> None:
    await notifications.ask(notify("n1"), notify("n2"), notify("n9", "bob"))
    sound = (await notifications.findings(audit))[0]
    assert (sound.holds, dict(sound.figures)) == (True, {"kept": 3, "users": 2, "wrong": 0})
    await notifications.tamper("update notifications set message = '' where id = 'n2'")
    assert (await notifications.findings(audit))[0].detail == "n2"
