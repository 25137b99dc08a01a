"""confluent-kafka logs every record: librdkafka behind Python."""

from confluent_kafka import Consumer

from common import arguments, line, logger

servers, topic, count, group = arguments()
log = logger()
consumer = Consumer(
    {
        "bootstrap.servers": servers,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "fetch.queue.backoff.ms": 10,
    }
)
consumer.subscribe([topic])
seen = 0
while seen < count:
    for message in consumer.consume(min(1000, count - seen), timeout=0.01):
        if message.error() is not None:
            raise SystemExit(message.error())
        log.info(
            line(
                message.topic(),
                message.partition(),
                message.offset(),
                message.timestamp()[1],
                message.key(),
                message.value(),
                message.headers(),
            )
        )
        seen += 1
consumer.close()
