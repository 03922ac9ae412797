/* Reads CloudEvents in structured mode, one a line, as an HTTP and as a Kafka client of the SDK does, and
   writes what it found, both ways. Ends with the SDK's words on the first that is not valid. */

const { HTTP, Kafka } = require("cloudevents");
const lines = require("node:fs").readFileSync(0, "utf8").split("\n").filter(Boolean);

for (const line of lines) {
  const headers = { "content-type": "application/cloudevents+json" };
  const overHttp = HTTP.toEvent({ headers, body: line });
  const key = overHttp.partitionkey ?? "";
  const overKafka = Kafka.toEvent({ headers, body: line, value: line, key, timestamp: 0 });
  for (const event of [overHttp, overKafka]) event.validate();
  console.log(JSON.stringify([overHttp, overKafka]));
}
