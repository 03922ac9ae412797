/* Publishes registrations and follows the event feed; may be killed at any moment and started again.

     npm install
     node publish-and-follow.mjs registration.json …   publish, and end once each is answered
     node publish-and-follow.mjs                       follow until Ctrl-C

   Settings by environment: KAFKA (host:port), SOURCE (your system's name), GROUP, FEED (a file).

   - The file's name is the reference (`subject`) of its registration. An event's id is made of source,
     reference and content: published again after a crash it is the same event, and is taken once.
   - Every event is written to feed.jsonl, one a line, before its offset is committed. What is delivered
     again after a crash is recognised by (source, id). A system with a database has a unique index
     there instead. */

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { basename } from "node:path";
import { CompressionTypes, Kafka, logLevel, Partitioners } from "kafkajs";

const INBOX = "cxc.registration.inbox";
const FEED = ["cxc.registration.events", "cxc.matching.events", "cxc.funding.events"];
const ANSWERS = ["cxc.registration.screened.", "cxc.registration.refused."];

const source = process.env.SOURCE ?? "/example/crm";
const groupId = process.env.GROUP ?? "example-crm-node";

/** The events received so far, on disk, each once. */
class Feed {
  #known = new Set();
  #file;
  /** Ids of events that were answered. */
  answered = new Set();

  constructor(path) {
    this.#file = fs.openSync(path, "a+");
    const content = fs.readFileSync(path);
    const whole = content.lastIndexOf("\n") + 1;
    fs.ftruncateSync(this.#file, whole); // a line torn by a crash was not committed, and comes again
    for (const line of content.subarray(0, whole).toString().split("\n")) {
      if (line) this.#note(JSON.parse(line));
    }
  }

  /** Whether the event is new; it is on disk when this returns. */
  add(event) {
    if (this.#known.has(`${event.source} ${event.id}`)) return false;
    fs.writeSync(this.#file, JSON.stringify(event) + "\n");
    fs.fsyncSync(this.#file);
    this.#note(event);
    return true;
  }

  #note(event) {
    this.#known.add(`${event.source} ${event.id}`);
    if (event.causationid && ANSWERS.some((type) => event.type.startsWith(type))) {
      this.answered.add(event.causationid);
    }
  }
}

/** The CloudEvent that registers what the file holds. */
function submission(file) {
  const content = fs.readFileSync(file, "utf8");
  const subject = basename(file, ".json");
  return {
    specversion: "1.0",
    id: createHash("sha256").update(`${source}|${subject}|${content}`).digest("hex"),
    source,
    type: "cxc.registration.submit.v1",
    subject,
    datacontenttype: "application/json",
    data: JSON.parse(content),
  };
}

const kafka = new Kafka({
  clientId: "example-crm",
  brokers: (process.env.KAFKA ?? "127.0.0.1:9092").split(","),
  logLevel: logLevel.ERROR,
});
const feed = new Feed(process.env.FEED ?? "feed.jsonl");
const events = process.argv.slice(2).map(submission);
const allAnswered = () => events.length > 0 && events.every((event) => feed.answered.has(event.id));

const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner });
await producer.connect();
for (const event of events) {
  await producer.send({
    topic: INBOX,
    acks: -1,
    compression: CompressionTypes.GZIP,
    messages: [
      {
        key: `${source}|${event.subject}`,
        value: JSON.stringify(event),
        headers: { "content-type": "application/cloudevents+json" },
      },
    ],
  });
  console.log("published", event.subject, event.id);
}
await producer.disconnect();

const consumer = kafka.consumer({
  groupId,
  sessionTimeout: 6000, // so long a client that was killed holds up the next one
  heartbeatInterval: 1500,
});
await consumer.connect();
await consumer.subscribe({ topics: FEED, fromBeginning: true });

let finish;
const finished = new Promise((resolve) => (finish = resolve));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, finish);
if (allAnswered()) finish();

await consumer.run({
  // kafkajs commits only offsets whose message this function has finished with.
  eachMessage: async ({ message }) => {
    const event = JSON.parse(message.value.toString());
    if (feed.add(event)) {
      console.log(event.type, event.subject, event.data.detail ?? event.data.verdict ?? "");
    }
    if (allAnswered()) finish();
  },
});
await finished;
await consumer.disconnect();
