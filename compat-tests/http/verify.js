// Asks the package `standardwebhooks` of npm whether it takes a request: JSON on stdin with headers, body, the receiver's
// secret, and by how many seconds its clock is ahead. Prints "accepted", or why not.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");

const { Webhook, WebhookVerificationError } = createRequire(process.argv[2] + "/")("standardwebhooks");

const request = JSON.parse(readFileSync(0, "utf8"));
const now = Date.now;
Date.now = () => now() + request.later * 1000;
try {
    new Webhook(request.secret).verify(request.body, request.headers);
    console.log("accepted");
} catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    console.log(error.message);
}
