import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { examine } from "@cmcp/boundary";
import { listenUnix, serveStream, unixDialer, type ByteStream, type IncomingExchange } from "@cmcp/wire";
import { request, type IncomingMessage, type RequestOptions } from "node:http";
import { FRONT_LIMITS, type FrontLimits } from "../front/limits.ts";
import { startFront, type Front } from "../front/server.ts";
import { EnclaveLink } from "../link/enclave-link.ts";
import { memoryLog } from "./memory-log.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** The front over a wire peer that answers each exchange with `accept`. */
export interface FrontHarness {
  readonly front: Front;
  readonly link: EnclaveLink;
  readonly port: number;
  readonly log: () => string;
  /** Streams the front has opened to the peer. */
  readonly streams: ByteStream[];
}

export async function startFrontHarness(
  test: TestContext,
  accept: (exchange: IncomingExchange) => Promise<void>,
  limits: Partial<FrontLimits> = {},
): Promise<FrontHarness> {
  const path = join(temporaryDirectory(test), "enclave.sock");
  const streams: ByteStream[] = [];
  const listener = await listenUnix(path, (stream) => {
    streams.push(stream);
    serveStream(stream, accept);
  });
  const link = new EnclaveLink(unixDialer(path));
  link.started();
  link.ready();
  const { log, text: written } = memoryLog();
  const front = await startFront(
    { host: "127.0.0.1", port: 0 },
    { link, limits: { ...FRONT_LIMITS, drainMs: 500, ...limits }, log },
  );
  test.after(async () => {
    await link.lost();
    await front.close();
    await listener.close();
  });
  return { front, link, port: front.address.port, log: written, streams };
}

/** Everything a body says, as text. */
export async function bodyText(exchange: IncomingExchange): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const part of exchange.body) chunks.push(examine(part));
  return Buffer.concat(chunks).toString();
}

/** Answers with JSON of what was asked. */
export async function echo(exchange: IncomingExchange): Promise<void> {
  const body = await bodyText(exchange);
  await exchange.respond({ status: 200, headers: { "content-type": "application/json" } });
  await exchange.write(Buffer.from(JSON.stringify({ ...exchange.opening, body })));
  await exchange.end();
}

/** One HTTP request without anything a client library would add or repair. */
export function send(
  port: number,
  options: RequestOptions,
  body?: string | Buffer,
): Promise<{ status: number; headers: IncomingMessage["headers"]; text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, agent: false, ...options }, (incoming) => {
      text(incoming).then(
        (answer) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text: answer }),
        reject,
      );
    });
    outgoing.once("error", reject).end(body);
  });
}
