"""Whatever a desk's methods take and give comes through a socket as it was."""

from functools import partial
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amends.adapters.asyncio_runtime import AsyncioRuntime
from shop.billing.desk import BillingDesk
from shop.calls import Client, remote, serve
from shop.calls.wire import Method, methods_of
from shop.desks import Desks
from shop.ops.desks import FaultsDesk, HealthDesk, SagasDesk
from tests.shop.calls.conftest import open_line
from tests.shop.calls.values import any_of, any_struct

DESKS: list[type] = [*list(get_type_hints(Desks).values())[:-3], SagasDesk, HealthDesk, FaultsDesk]
METHODS = [(desk, method) for desk in DESKS for method in methods_of(desk).values()]
QUIET = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def _same(value: Any) -> Any:
    return value


def name_of(value: Any) -> str:
    return value.name if isinstance(value, Method) else value.__name__


@pytest.mark.parametrize(("desk", "method"), METHODS, ids=name_of)
async def test_arguments_and_result_come_through_as_they_were(desk: type, method: Method) -> None:
    """One connection carries all examples, so that none leaves something for the next."""
    arguments, results = any_struct(method.arguments), any_of(get_type_hints(method.function)["return"])
    examples: list[tuple[Any, Any]] = []

    @QUIET
    @given(st.tuples(arguments, results))
    def collect(example: tuple[Any, Any]) -> None:
        examples.append(example)

    collect()
    async with open_line() as line:
        await line.serve(desk)
        call = getattr(line.desk(desk), method.name)
        for given_, wanted in examples:
            line.said.says = partial(_same, wanted)
            assert await call(*given_) == wanted
            assert line.said.asked.pop() == given_
        assert len(line.connections) == 1


async def test_defaults_are_the_desks_own() -> None:
    async with open_line() as line:
        await line.serve(BillingDesk)
        line.said.says = list
        assert await line.desk(BillingDesk).entries("ann", limit=5) == []
        assert line.said.asked == [("ann", 5, None)]


def test_desk_of_another_process_is_of_the_same_type() -> None:
    far = remote(BillingDesk, "http://127.0.0.1:1/calls/billing", Client(AsyncioRuntime(), "t"))
    assert isinstance(far, BillingDesk)
    assert far.wallet.__doc__ == BillingDesk.wallet.__doc__


class Blocking:
    def look(self) -> int:
        return 1


class Untyped:
    async def look(self, what):  # type: ignore[no-untyped-def]
        return what


@pytest.mark.parametrize("desk", [Blocking(), Untyped()], ids=["not async", "without types"])
def test_what_others_can_not_call_is_no_desk(desk: object) -> None:
    with pytest.raises(TypeError, match="look"):
        serve({"desk": desk}, "t")
