"""kafka-python publishes."""

from kafka import KafkaProducer

from common import COUNT, arguments, values

servers, topic, count, size = arguments()
made = values(int(size))
producer = KafkaProducer(
    bootstrap_servers=servers,
    acks="all",
    enable_idempotence=True,
    max_in_flight_requests_per_connection=5,
    linger_ms=5,
    batch_size=256 * 1024,
    compression_type=None,
)
failed = []
for nth in range(count):
    producer.send(topic, key=str(nth).encode(), value=made[nth % COUNT]).add_errback(failed.append)
producer.flush()
producer.close()
assert not failed, failed[0]
