// Verifies and signs webhooks with the library of Standard Webhooks: a JSON object a line in, one a line out.

const { createInterface } = require("node:readline");
const { Webhook } = require("standardwebhooks");

createInterface({ input: process.stdin }).on("line", (line) => {
  const { secret, body, headers, sign } = JSON.parse(line);
  const webhook = new Webhook(secret);
  let answer;
  if (sign) {
    answer = { signature: webhook.sign(sign.id, new Date(sign.at * 1000), body) };
  } else {
    try {
      answer = { verified: webhook.verify(body, headers) };
    } catch (error) {
      answer = { refused: error.message };
    }
  }
  console.log(JSON.stringify(answer));
});
