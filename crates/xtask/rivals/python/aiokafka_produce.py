"""aiokafka publishes, many messages in flight."""

import asyncio

from aiokafka import AIOKafkaProducer

from common import COUNT, arguments, values

IN_FLIGHT = 5000


async def main():
    servers, topic, count, size = arguments()
    made = values(int(size))
    producer = AIOKafkaProducer(
        bootstrap_servers=servers,
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
        max_batch_size=256 * 1024,
    )
    await producer.start()
    waiting = []
    for nth in range(count):
        waiting.append(await producer.send(topic, key=str(nth).encode(), value=made[nth % COUNT]))
        if len(waiting) >= IN_FLIGHT:
            await asyncio.gather(*waiting)
            waiting = []
    await asyncio.gather(*waiting)
    await producer.stop()


asyncio.run(main())
