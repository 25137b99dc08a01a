// KafkaJS publishes, a thousand messages a call.
"use strict";

const { Kafka, logLevel } = require("kafkajs");

const [servers, topic, count, size] = process.argv.slice(2);
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const MADE = 4096;
const BATCH = 1000;
const IN_FLIGHT = 5;

const values = Array.from({ length: MADE }, () =>
  Buffer.from(Array.from({ length: Number(size) }, () => LETTERS[Math.floor(Math.random() * 64)]).join(""))
);

async function main() {
  const kafka = new Kafka({ brokers: servers.split(","), logLevel: logLevel.ERROR });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: IN_FLIGHT });
  await producer.connect();
  let next = 0;
  const worker = async () => {
    while (next < Number(count)) {
      const messages = [];
      for (; messages.length < BATCH && next < Number(count); next++) {
        messages.push({ key: String(next), value: values[next % MADE] });
      }
      await producer.send({ topic, acks: -1, messages });
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  await producer.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
