// KafkaJS logs every record, a batch at a time.
"use strict";

const fs = require("fs");
const { Kafka, logLevel } = require("kafkajs");

const [servers, topic, count, group] = process.argv.slice(2);

async function main() {
  const kafka = new Kafka({ brokers: servers.split(","), logLevel: logLevel.ERROR });
  const consumer = kafka.consumer({ groupId: group });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  let seen = 0;
  let done;
  const all = new Promise((resolve) => (done = resolve));
  await consumer.run({
    eachBatch: async ({ batch }) => {
      const lines = [];
      for (const message of batch.messages) {
        if (seen >= Number(count)) break;
        seen += 1;
        const headers = Object.entries(message.headers || {}).map(([name, value]) => [name, value.toString()]);
        lines.push(
          JSON.stringify({
            timestamp: new Date().toISOString(),
            event: "record",
            topic: batch.topic,
            partition: batch.partition,
            offset: message.offset,
            record_timestamp: message.timestamp,
            key: message.key && message.key.toString(),
            value: message.value && message.value.toString(),
            headers,
          })
        );
      }
      if (lines.length > 0) fs.writeSync(1, lines.join("\n") + "\n");
      if (seen >= Number(count)) done();
    },
  });
  await all;
  await consumer.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
