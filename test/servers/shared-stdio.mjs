/** A stdio server whose one process several sessions share, and which says nothing of whose a message is. */
import process from "node:process";
import { createInterface } from "node:readline";

const SECRET = "ssn: 123-45-6789";
const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const tools = ["patient", "plain", "deaf", "touch", "crash"].map((name) => ({
  name,
  description: `${name}.`,
  inputSchema: { type: "object" },
}));
const resources = ["test://x", "test://y"].map((uri) => ({ uri, name: uri }));
const followed = new Set();
/** Calls of `patient` and `plain` that have not been answered, by tool. */
const open = new Map();

function answer(id, text) {
  send({ id, result: { content: [{ type: "text", text }] } });
}

/** Once both tools are at work, something is said of the one and asked for it; then both are answered. */
function work(name, id) {
  open.set(name, id);
  if (open.size < 2) return;
  send({ method: "notifications/message", params: { level: "info", data: `patient: ${SECRET}` } });
  send({
    id: "question",
    method: "elicitation/create",
    params: { message: `patient: ${SECRET}`, requestedSchema: { type: "object", properties: {} } },
  });
}

const CALLS = {
  patient: (id) => work("patient", id),
  plain: (id) => work("plain", id),
  deaf: () => process.stdin.pause(),
  crash: () => process.exit(1),
  touch: (id) => {
    for (const uri of followed) send({ method: "notifications/resources/updated", params: { uri } });
    answer(id, [...followed].toSorted((left, right) => left.localeCompare(right)).join(" "));
  },
};

const REQUESTS = {
  initialize: () => ({
    protocolVersion: "2025-11-25",
    capabilities: { tools: {}, logging: {}, resources: { subscribe: true } },
    serverInfo: { name: "shared", version: "1" },
  }),
  "tools/list": () => ({ tools }),
  "resources/list": () => ({ resources }),
  "logging/setLevel": () => ({}),
  "resources/subscribe": ({ uri }) => (followed.add(uri), {}),
  "resources/unsubscribe": ({ uri }) => (followed.delete(uri), {}),
};

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params, error } = JSON.parse(line);
  if (id === "question") {
    for (const [name, call] of open)
      answer(
        call,
        name === "patient"
          ? `{"${SECRET.slice(0, 3)}":"123-45-6789","ok":true}`
          : `asked: ${error?.code ?? "answered"}`,
      );
    open.clear();
  } else if (method === "tools/call") {
    CALLS[params.name](id);
  } else if (id !== undefined) {
    send({ id, result: REQUESTS[method](params) });
  }
});
// It stays, whatever it reads.
setInterval(() => undefined, 1_000_000);
