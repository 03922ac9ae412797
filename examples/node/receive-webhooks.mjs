/* Receives webhooks and holds every event once, however often it comes; may be killed at any moment. Needs
   Node.js alone.

     SECRET=whsec_… node receive-webhooks.mjs

   Settings by environment: SECRET (two, separated by a blank, while it is changed), PORT.

   - Every event is one line of webhooks.jsonl: {"id": …, "event": …}. The id is stored with the event, in the
     same line, and it is answered after that: what was not stored is sent again, what was is passed over.
   - A line torn by a crash is cut off.
   - The signature is checked as Standard Webhooks says, on the bytes as they came. */

import { createHmac, timingSafeEqual } from "node:crypto";
import { existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { createServer } from "node:http";

const FILE = "webhooks.jsonl";
const MINUTES = 5;
const MOST_BYTES = 2 * 1024 * 1024;

const keys = process.env.SECRET.split(" ").map((secret) => Buffer.from(secret.replace("whsec_", ""), "base64"));
const before = existsSync(FILE) ? readFileSync(FILE) : Buffer.alloc(0);
const whole = before.subarray(0, before.lastIndexOf(10) + 1);
const held = new Set(whole.toString().split("\n").filter(Boolean).map((line) => JSON.parse(line).id));
const file = openSync(FILE, "a");
ftruncateSync(file, whole.length);

function isGenuine(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": given } = headers;
  if (!id || !given || !(Math.abs(Date.now() / 1000 - Number(timestamp)) < MINUTES * 60)) return false;
  const signatures = given.split(" ").filter((one) => one.startsWith("v1,"));
  return keys.some((key) => {
    const right = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
    return signatures.some((one) => {
      const signature = Buffer.from(one.slice(3), "base64");
      return signature.length === right.length && timingSafeEqual(signature, right);
    });
  });
}

createServer(async (request, response) => {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MOST_BYTES) return response.writeHead(413).end();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end();
  const id = request.headers["webhook-id"];
  if (!held.has(id)) {
    writeSync(file, JSON.stringify({ id, event: JSON.parse(body) }) + "\n");
    fsyncSync(file);
    held.add(id);
  }
  response.writeHead(204).end();
}).listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => console.log("listening"));
