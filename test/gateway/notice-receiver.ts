/** A receiver of notices over TLS, in a process of its own. Each line that it reads is how it answers from then on. */
import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { selfSigned, testKey } from "../../packages/mcp/src/testing/certificate.ts";

const key = testKey();
let how = "ok";

const ANSWERS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  ok: (response) => response.writeHead(204).end(),
  busy: (response) => response.writeHead(503).end("later"),
  redirect: (response) => response.writeHead(302, { location: "/elsewhere" }).end(),
  hang: () => undefined,
};

const server = createServer(selfSigned(key, "127.0.0.1"), (request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => void (body += chunk.toString()));
  request.on("end", () => {
    const { method, url, headers } = request;
    process.stdout.write(`${JSON.stringify({ method, url, headers, body, answered: how })}\n`);
    ANSWERS[how]?.(response);
  });
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ port, fingerprint: `SHA256:${key.pin.toString("base64")}` })}\n`);
});
createInterface(process.stdin)
  .on("line", (line) => {
    how = line;
    process.stdout.write(`${JSON.stringify({ now: line })}\n`);
  })
  .on("close", () => process.exit(0));
