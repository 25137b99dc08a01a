"""kafka-python logs every record, as the prototype did."""

from kafka import KafkaConsumer

from common import arguments, line, logger

servers, topic, count, group = arguments()
log = logger()
consumer = KafkaConsumer(
    topic,
    bootstrap_servers=servers,
    group_id=group,
    auto_offset_reset="earliest",
    enable_auto_commit=True,
    fetch_max_bytes=50 * 1024 * 1024,
    max_poll_records=5000,
)
for nth, record in enumerate(consumer, 1):
    log.info(
        line(
            record.topic,
            record.partition,
            record.offset,
            record.timestamp,
            record.key,
            record.value,
            record.headers,
        )
    )
    if nth >= count:
        break
consumer.close()
