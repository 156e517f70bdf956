"""Transport over Kafka, by confluent-kafka."""

from amends.adapters.kafka.settings import KafkaSettings
from amends.adapters.kafka.topics import create_topics, delete_topics
from amends.adapters.kafka.transport import Kafka

__all__ = ["Kafka", "KafkaSettings", "create_topics", "delete_topics"]
