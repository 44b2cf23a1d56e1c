/** A stdio server that says which secret it was started with, by its SHA-256. */
import { createHash } from "node:crypto";
import process from "node:process";
import { createInterface } from "node:readline";

const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const tools = ["digest", "slow"].map((name) => ({
  name,
  description: `${name}.`,
  inputSchema: { type: "object" },
}));

function digest() {
  const secret = process.env.API_TOKEN;
  return secret === undefined ? "none" : createHash("sha256").update(secret).digest("hex");
}

function call(name, id) {
  const answer = () => send({ id, result: { content: [{ type: "text", text: digest() }] } });
  if (name === "slow") setTimeout(answer, 3_000);
  else answer();
}

const ANSWERS = {
  initialize: ({ id, params }) =>
    send({
      id,
      result: {
        protocolVersion: params.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: "secret", version: "1" },
      },
    }),
  "tools/list": ({ id }) => send({ id, result: { tools } }),
  "tools/call": ({ id, params }) => call(params.name, id),
  ping: ({ id }) => send({ id, result: {} }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.id !== undefined && message.method !== undefined) ANSWERS[message.method]?.(message);
}
