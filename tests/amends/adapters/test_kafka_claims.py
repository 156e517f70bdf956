"""What a reader gives out of the partitions that it has."""

from confluent_kafka import Message

from amends.adapters.kafka.claims import Claims, weight


def arrived(partition: int, *offsets: int) -> list[Message]:
    return [Message(topic="hotel", partition=partition, offset=offset, value=b"{}") for offset in offsets]


def opened(*shards: int) -> Claims:
    claims = Claims()
    claims.open(claims.begin(shards))
    return claims


def taken(claims: Claims, most: int = 100) -> list[tuple[int | None, int | None]]:
    return [(each.partition(), each.offset()) for each in claims.take(most)]


def test_nothing_is_given_before_the_owner_has_taken_the_shard() -> None:
    claims = Claims()
    begun = claims.begin([0, 1])
    claims.put([*arrived(0, 5, 6), *arrived(1, 7)])
    assert taken(claims) == []
    claims.open(begun[:1])
    assert taken(claims) == [(0, 5), (0, 6)]
    claims.open(begun)
    assert taken(claims) == [(1, 7)]


def test_partitions_take_turns_and_each_keeps_its_order() -> None:
    claims = opened(0, 1)
    claims.put([*arrived(0, *range(10)), *arrived(1, *range(10))])
    batches = [taken(claims, 4) for _ in range(6)]
    assert [batch[0][0] for batch in batches[:4]] == [0, 1, 0, 1]
    for partition in (0, 1):
        assert [at for batch in batches for shard, at in batch if shard == partition] == list(range(10))


def test_acknowledging_says_how_far_each_partition_is_done() -> None:
    claims = opened(0, 1)
    claims.put([*arrived(0, 5, 6), *arrived(1, 9)])
    taken(claims, 2)
    taken(claims, 2)
    assert claims.in_flight
    assert [claims.acknowledge(), claims.acknowledge()] == [{0: 7}, {1: 10}]
    assert not claims.in_flight


def test_partition_that_leaves_gives_nothing_more_and_still_commits_what_is_in_flight() -> None:
    claims = opened(0, 1)
    claims.put([*arrived(0, 1, 2, 3), *arrived(1, 1)])
    assert taken(claims, 2) == [(0, 1), (0, 2)]
    [leaving] = claims.leave([0])
    assert leaving.in_flight == 2
    claims.put(arrived(0, 4))
    assert taken(claims) == [(1, 1)]
    assert claims.acknowledge() == {0: 3}
    assert leaving.in_flight == 0


def test_partition_that_is_gone_commits_nothing() -> None:
    claims = opened(0)
    claims.put(arrived(0, 1, 2))
    taken(claims)
    claims.end(claims.leave([0]))
    claims.put(arrived(0, 3))
    assert claims.acknowledge() == {}
    assert taken(claims) == []


def test_partition_that_came_back_is_another_claim() -> None:
    claims = opened(0)
    claims.put(arrived(0, 1))
    taken(claims)
    claims.end(claims.leave([0]))
    claims.open(claims.begin([0]))
    claims.put(arrived(0, 1))
    assert taken(claims) == [(0, 1)]
    assert [claims.acknowledge(), claims.acknowledge()] == [{}, {0: 2}]


def test_owner_that_took_a_shard_too_late_opens_nothing() -> None:
    claims = Claims()
    begun = claims.begin([0])
    claims.put(arrived(0, 1))
    claims.leave([0])
    claims.open(begun)
    assert taken(claims) == []


def test_everything_that_came_is_done_with_in_the_end() -> None:
    """Acknowledged, dropped, or come too late: it needs no room any more."""
    claims = opened(0, 1)
    everything = [*arrived(0, 1, 2, 3), *arrived(1, 1, 2), *arrived(2, 1)]
    claims.put(everything)
    taken(claims, 2)
    claims.acknowledge()
    claims.end(claims.leave([0]))
    taken(claims)
    claims.acknowledge()
    assert claims.done_with == weight(everything)
