import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { UpstreamClient } from "../index.ts";
import { selfSigned, testKey } from "../testing/certificate.ts";
import { ScriptedServer, json, reply } from "../testing/scripted-server.ts";
import { toolNamed } from "../testing/upstream.ts";

const forever = new AbortController().signal;
const OK: JsonObject = { content: [] };

/** A stream of no socket, as the relay's is: its reader hears of its end from it alone. */
class CarriedStream extends Duplex {
  readonly #socket: Socket;

  /** @param greeted called instead of handing on what the server says first */
  constructor(port: number, greeted: ((stream: CarriedStream) => void) | null) {
    super();
    this.#socket = connect(port, "127.0.0.1");
    let heard = greeted;
    this.#socket.on("data", (chunk) => {
      if (heard === null) this.push(chunk);
      else heard(this);
      heard = null;
    });
    this.#socket.on("error", () => undefined);
  }

  override _read(): void {
    // The socket pushes by itself.
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}

/** Bytes that no TLS session has. */
const GARBAGE = Buffer.from("17030300101111111111111111111111111111111111", "hex");
const broken = (): CmcpError => new CmcpError("UPSTREAM_UNAVAILABLE", "the relay could not reach the tool server");

const BREAKS: Readonly<Record<string, (stream: Duplex) => Promise<void>>> = {
  "garbage, and the end at once": async (stream) => {
    stream.push(GARBAGE);
    stream.destroy(broken());
  },
  "garbage, and the end in the same turn": async (stream) => {
    stream.push(GARBAGE);
    await Promise.resolve();
    stream.destroy(broken());
  },
  "garbage, and the end a turn later": async (stream) => {
    stream.push(GARBAGE);
    await setImmediate();
    stream.destroy(broken());
  },
  "the end alone": async (stream) => void stream.destroy(broken()),
  "an error after the end": async (stream) => {
    stream.destroy();
    await setImmediate();
    stream.emit("error", broken());
  },
};

for (const moment of ["the handshake", "a call"] as const)
  for (const [what, breaks] of Object.entries(BREAKS))
    test(`in ${moment}, ${what} fails the call and nothing else`, async (t) => {
      const key = testKey();
      const streams: CarriedStream[] = [];
      let breaking = true;
      const breakAll = (): void =>
        void Promise.all(streams.filter(({ destroyed }) => !destroyed).map(async (stream) => await breaks(stream)));
      const server = await ScriptedServer.start(
        (request, socket) => {
          if (request.message["method"] === "tools/call" && breaking) breakAll();
          else socket.write(json(reply(request, OK)));
        },
        selfSigned(key, "127.0.0.1"),
      );
      t.after(() => server.close());
      const upstream = new UpstreamClient({
        url: server.url,
        dial: async (_, port) => {
          const stream = new CarriedStream(port, breaking && moment === "the handshake" ? breakAll : null);
          streams.push(stream);
          return stream;
        },
        tls: { mode: "pinned", spkiSha256: key.pin, now: Date.now },
        clientInfo: { name: "gateway", version: "1" },
        limits: { connectMs: 2_000 },
      });
      t.after(() => upstream.close());
      await assert.rejects(upstream.callTool("s", toolNamed("tool"), {}, forever), { code: "UPSTREAM_UNAVAILABLE" });
      await sleep(20);
      breaking = false;
      assert.deepEqual(await upstream.callTool("s", toolNamed("tool"), {}, forever), OK);
    });
