"""The hash by which Kafka's clients spread keys over partitions (A. Appleby's MurmurHash2, with Java's seed)."""

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """32 bits, as the Java client and librdkafka's partitioner `murmur2_random` compute them.

    >>> murmur2(b"21")
    3321034988
    """
    size = len(data)
    whole = size & ~3
    hash = (_SEED ^ size) & _MASK
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        hash = hash * _M & _MASK ^ (word ^ word >> 24) * _M & _MASK
    if whole < size:
        hash = (hash ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    hash = (hash ^ hash >> 13) * _M & _MASK
    return hash ^ hash >> 15


def partition_of(key: str, partitions: int) -> int:
    """Where messages of the key go in a topic with so many partitions.

    >>> partition_of("order-1", 8)
    6
    """
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
