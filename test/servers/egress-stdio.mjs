/** A stdio server that reaches for the network, in ways that it may and in ways that it may not. */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";

const PROXY = 3128;
const NAMES = ["reach", "reach_forbidden", "speak", "many", "keep", "kept", "later", "said_later", "wait", "sockets"];
const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends text to the proxy; what comes back until it ends, or the first 200 bytes. */
function speak(text, port = PROXY) {
  return new Promise((resolve) => {
    let got = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (chunk) => {
      got += chunk;
      if (got.length >= 200) socket.destroy();
    });
    socket.on("error", (error) => resolve(`error ${error.code}`));
    socket.on("close", () => resolve(got));
  });
}

async function reach({ url }) {
  try {
    const response = await fetch(url, { headers: { connection: "close" } });
    const text = await response.text();
    return `${response.status} ${text.length > 1000 ? text.length : text}`;
  } catch (error) {
    return `failed ${error.cause?.code ?? ""} ${error.cause?.message ?? error.message}`;
  }
}

let kept = null;
function keep({ authority }) {
  return new Promise((resolve) => {
    const socket = connect(PROXY, "127.0.0.1", () => socket.write(`CONNECT ${authority} HTTP/1.1\r\n\r\n`));
    kept = { socket, isOpen: true };
    socket.once("data", (chunk) => resolve(String(chunk).split("\r\n")[0]));
    socket.on("error", () => undefined);
    socket.on("close", () => (kept.isOpen = false));
  });
}

let later = "nothing";
async function tryLater({ authority }) {
  await sleep(700);
  later = await speak(`CONNECT ${authority} HTTP/1.1\r\n\r\n`);
}

function udp() {
  return new Promise((resolve) => {
    try {
      const socket = createSocket("udp4");
      socket.on("error", (error) => resolve(error.code));
      socket.send("query", 53, "127.0.0.1", (error) => resolve(error?.code ?? "sent"));
    } catch (error) {
      resolve(error.code);
    }
  });
}

const CALLS = {
  reach,
  reach_forbidden: reach,
  speak: ({ text, repeat = 1 }) => speak(text.repeat(repeat)),
  many: async ({ authority, count }) => {
    const answers = await Promise.all(
      Array.from({ length: count }, () => speak(`CONNECT ${authority} HTTP/1.1\r\n\r\n`)),
    );
    return String(answers.filter((answer) => answer.startsWith("HTTP/1.1 403")).length);
  },
  keep,
  kept: async () => {
    await sleep(300);
    return String(kept?.isOpen);
  },
  later: (args) => {
    void tryLater(args);
    return "soon";
  },
  said_later: () => later.split("\r\n")[0],
  wait: async ({ ms }) => {
    await sleep(ms);
    return String(kept?.isOpen);
  },
  sockets: async ({ port }) => `udp ${await udp()}, port ${await speak("hello", port)}`,
};

const REQUESTS = {
  initialize: () => ({
    protocolVersion: "2025-11-25",
    capabilities: { tools: {} },
    serverInfo: { name: "egress", version: "1" },
  }),
  "tools/list": () => ({
    tools: NAMES.map((name) => ({ name, description: `${name}.`, inputSchema: { type: "object" } })),
  }),
  "tools/call": async ({ name, arguments: args = {} }) => ({
    content: [{ type: "text", text: await CALLS[name](args) }],
  }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params = {} } = JSON.parse(line);
  if (id === undefined) continue;
  void (async () => send({ id, result: await (REQUESTS[method]?.(params) ?? {}) }))();
}
