/* Follows the numbered feed over HTTP; may be killed at any moment and started again. Needs Node.js alone.

     TOKEN=… node follow-feed.mjs          store every change in changes.jsonl until Ctrl-C
     TOKEN=… node follow-feed.mjs 100      end once number 100 is stored

   Settings by environment: API (the registration API's address), TOKEN or TOKEN_FILE (read anew for every
   request, so that whoever renews the token only has to write it there), FILE.

   - Every change is one line: {"feed": …, "number": …, "event": …}. The number is stored with the event, in
     the same line, so there is no moment at which the two disagree. A system with a database stores both
     in one transaction.
   - A line torn by a crash is cut off, and its number asked for again.
   - Numbers are 1, 2, 3 … If one is missing or comes twice, in the file or in an answer, it stops and says
     so: that cannot happen, and must not be passed over when it does.
   - While the server is away it tries again, with growing pauses. What asking again cannot mend (the
     token, the numbers of another feed) ends it, with the server's words. */

import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const WAIT_S = 25;
const LONGEST_PAUSE_MS = 15_000;

const api = process.env.API ?? "http://127.0.0.1:8001";
const until = process.argv[2] === undefined ? Infinity : Number(process.argv[2]);

/** The changes received so far, on disk, numbered from 1 without a hole. */
class Changes {
  feed = null;
  last = 0;
  #file;

  constructor(path) {
    this.#file = fs.openSync(path, "a+");
    const content = fs.readFileSync(path);
    const whole = content.lastIndexOf("\n") + 1;
    fs.ftruncateSync(this.#file, whole); // torn by a crash: its number was not stored, and is asked for again
    for (const line of content.subarray(0, whole).toString().split("\n")) {
      if (line) this.#note(JSON.parse(line));
    }
  }

  /** Store what follows; it is on disk when this returns. */
  add(feed, items) {
    const lines = items.map((item) => {
      this.#note({ feed, ...item });
      return JSON.stringify({ feed, ...item }) + "\n";
    });
    fs.appendFileSync(this.#file, lines.join(""));
    fs.fsyncSync(this.#file);
  }

  #note({ feed, number }) {
    if (this.feed !== null && this.feed !== feed) {
      stop(`These are the numbers of feed ${this.feed}, and ${number} is one of feed ${feed}.`);
    }
    if (number !== this.last + 1) {
      stop(`After number ${this.last} comes ${number}: something is missing, or comes twice.`);
    }
    this.feed = feed;
    this.last = number;
  }
}

function stop(why) {
  console.error(why);
  process.exit(1);
}

/** The bearer token, as it is now. */
function token() {
  const file = process.env.TOKEN_FILE;
  return file ? fs.readFileSync(file, "utf8").trim() : process.env.TOKEN;
}

/** What follows a number, or null where asking again later may help; ends the program where it won't. */
async function ask(after) {
  let answer, said;
  try {
    answer = await fetch(`${api}/feed?after=${after}&limit=1000&wait=${WAIT_S}`, {
      headers: { authorization: `Bearer ${token()}` },
      signal: AbortSignal.timeout((WAIT_S + 15) * 1000),
    });
    said = await answer.text();
    if (answer.ok) return JSON.parse(said);
  } catch (error) {
    console.error("the server is away:", error.cause?.message ?? error.message);
    return null;
  }
  if (answer.status < 500 && answer.status !== 429) {
    let detail = said;
    try {
      detail = JSON.parse(said).detail ?? said;
    } catch {
      // not a problem document: its text will do
    }
    stop(`${answer.status}: ${detail}`);
  }
  console.error(`the server answers ${answer.status}`);
  return null;
}

const changes = new Changes(process.env.FILE ?? "changes.jsonl");
let pause = 200;
while (changes.last < until) {
  const page = await ask(changes.last);
  if (page === null) {
    await sleep(pause * (0.5 + Math.random() / 2));
    pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
    continue;
  }
  pause = 200;
  changes.add(page.feed, page.items);
  for (const { number, event } of page.items) console.log(number, event.type, event.subject);
}
