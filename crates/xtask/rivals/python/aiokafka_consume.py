"""aiokafka logs every record."""

import asyncio

from aiokafka import AIOKafkaConsumer

from common import arguments, line, logger


async def main():
    servers, topic, count, group = arguments()
    log = logger()
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=group,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    seen = 0
    while seen < count:
        batches = await consumer.getmany(timeout_ms=1000, max_records=min(5000, count - seen))
        for records in batches.values():
            for record in records:
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
                seen += 1
    await consumer.stop()


asyncio.run(main())
