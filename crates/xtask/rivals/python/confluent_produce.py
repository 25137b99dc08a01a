"""confluent-kafka publishes: librdkafka behind Python."""

from confluent_kafka import Producer

from common import COUNT, arguments, values

servers, topic, count, size = arguments()
made = values(int(size))
producer = Producer(
    {
        "bootstrap.servers": servers,
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 5,
        "compression.type": "none",
        "queue.buffering.max.messages": 1000000,
    }
)
failed = []


def report(error, _message):
    if error is not None:
        failed.append(error)


for nth in range(count):
    while True:
        try:
            producer.produce(topic, key=str(nth).encode(), value=made[nth % COUNT], on_delivery=report)
            break
        except BufferError:
            producer.poll(0.01)
    if nth % 1024 == 0:
        producer.poll(0)
producer.flush()
assert not failed, failed[0]
