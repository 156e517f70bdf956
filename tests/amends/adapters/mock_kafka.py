"""A Kafka cluster inside this process: the mock that librdkafka carries for its own tests.

It speaks the protocol over loopback, keeps everything in memory, and fails on request. Its functions are C only: ctypes
calls them in the very library that confluent-kafka has loaded.
"""

import ctypes
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, Producer

from amends.adapters.kafka import KafkaSettings

PARTITIONS = 4
PRODUCE, OFFSET_COMMIT, HEARTBEAT = 0, 8, 12
_PRODUCER = 0  # the type of the client that carries the cluster
_ROOM = 512


def _library() -> ctypes.CDLL:
    folder = Path(confluent_kafka.__file__).parent
    [path] = [*folder.with_name("confluent_kafka.libs").glob("librdkafka*"), *folder.glob(".dylibs/librdkafka*")]
    library = ctypes.CDLL(str(path))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_broker_set_down": (number, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_broker_set_up": (number, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_push_request_errors_array": (
            None,
            [pointer, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(number)],
        ),
        "rd_kafka_test_fatal_error": (number, [pointer, number, text]),
    }
    for name, (returned, taken) in signatures.items():
        function = getattr(library, name)  # cached there, unlike library[name]
        function.restype, function.argtypes = returned, taken
    return library


class MockKafka:
    """One broker."""

    def __init__(self) -> None:
        self._library = _library()
        told = ctypes.create_string_buffer(_ROOM)
        properties = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(properties, b"log_level", b"0", told, _ROOM)
        self._client = self._library.rd_kafka_new(_PRODUCER, properties, told, _ROOM)
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, 1)
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.bootstrap: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def settings(self, **changed: Any) -> KafkaSettings:
        """What a transport needs to use it.

        The mock lets every fetch wait as long as it may, and every rebalance, but for the last second of a session.
        """
        fields: dict[str, Any] = {"bootstrap": self.bootstrap, "session_s": 2.0} | changed
        return KafkaSettings(**fields | {"properties": {"fetch.wait.max.ms": 10} | fields.get("properties", {})})

    def create_topics(self, topics: Iterable[str]) -> None:
        """Each with four partitions: whoever asks for a topic gets it."""
        client = Producer({"bootstrap.servers": self.bootstrap, "log_level": 0})
        for topic in topics:
            assert len(client.list_topics(topic, timeout=10).topics[topic].partitions) == PARTITIONS

    def go_down(self) -> None:
        self._library.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def come_up(self) -> None:
        self._library.rd_kafka_mock_broker_set_up(self._cluster, 1)

    def answer(self, request: int, *errors: int) -> None:
        """The next requests of that kind get these errors."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, request, len(errors), codes)

    def break_producer(self, producer: Producer) -> None:
        """Raise a fatal error in it."""
        handle = ctypes.c_void_p.from_address(id(producer) + object.__basicsize__)
        self._library.rd_kafka_test_fatal_error(handle, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, b"broken by a test")

    def close(self) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)
