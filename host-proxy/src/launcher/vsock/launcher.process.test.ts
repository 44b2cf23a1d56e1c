/** The attachment to a machine somebody else started, which here is a wire peer behind a hybrid socket. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { serveStream, unixDialer, type IncomingExchange } from "@cmcp/wire";
import { startHost, type Host } from "../../host.ts";
import { bodyText, send } from "../../testing/front-harness.ts";
import { memoryLog } from "../../testing/memory-log.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { openVsockLauncher, type VsockSettings } from "./launcher.ts";

/** A machine as its VMM shows it: answers `CONNECT 5000` and serves the wire behind it. */
class Machine {
  readonly received: string[] = [];
  hanging = Promise.withResolvers<void>();
  stalled = false;
  readonly #path: string;
  readonly #streams = new Set<Socket>();
  #server: Server | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async start(): Promise<void> {
    this.#server = createServer((socket) => {
      this.#streams.add(socket);
      socket.on("error", () => undefined).on("close", () => this.#streams.delete(socket));
      socket.once("data", (line: Buffer) => {
        if (this.stalled) return;
        assert.equal(line.toString(), "CONNECT 5000\n");
        socket.write("OK 1024\n");
        serveStream(socket, (exchange) => this.#accept(exchange));
      });
    }).listen(this.#path);
    await once(this.#server, "listening");
  }

  async die(): Promise<void> {
    for (const stream of this.#streams) stream.destroy();
    await new Promise((resolve) => (this.#server === undefined ? resolve(null) : this.#server.close(resolve)));
  }

  async #accept(exchange: IncomingExchange): Promise<void> {
    const body = await bodyText(exchange);
    if (exchange.opening.t !== "request") this.received.push(`${exchange.opening.t}: ${body}`);
    if (body === "hang") {
      this.hanging.resolve();
      return await new Promise(() => undefined);
    }
    await exchange.respond({ status: 200, headers: {} });
    await exchange.end();
  }
}

interface Setting {
  readonly path: string;
  readonly machine: Machine;
  readonly settings: VsockSettings;
}

async function setting(t: TestContext): Promise<Setting> {
  const path = join(temporaryDirectory(t), "vsock");
  const machine = new Machine(path);
  await machine.start();
  t.after(() => machine.die());
  const settings: VsockSettings = {
    launcher: "vsock",
    route: { hybridSocket: path },
    port: 5000,
    patience: { ms: 20_000, everyMs: 5, attemptMs: 500 },
  };
  return { path, machine, settings };
}

async function hostOf(t: TestContext, settings: VsockSettings): Promise<Host> {
  const host = await startHost({
    listen: { host: "127.0.0.1", port: 0 },
    launch: Buffer.from("document"),
    provision: Buffer.from("statement"),
    egressAllow: [],
    storePath: null,
    witnesses: null,
    enclave: settings,
    log: memoryLog().log,
  });
  t.after(() => host.close());
  return host;
}

function call(host: Host, body: string): Promise<{ status: number; text: string }> {
  return send(host.address.port, { method: "POST", path: "/mcp" }, body);
}

test("a machine that is up is launched, provisioned and served, and finds the host's services", async (t) => {
  const { path, machine, settings } = await setting(t);
  const host = await hostOf(t, settings);
  assert.deepEqual(machine.received, ["launch: document", "provision: statement"]);
  assert.deepEqual(host.placement, { launcher: "vsock", isolation: "machine", measuredBy: "unknown" });
  assert.equal(host.enclavePid, undefined);
  assert.equal((await call(host, "x")).status, 200);
  (await unixDialer(`${path}_6000`).dial(new AbortController().signal)).destroy();
  await host.close();
  assert.equal(existsSync(`${path}_6000`), false, "the services' socket is removed");
});

test("a machine that dies during a call: a typed error, and the next machine is launched and serves", async (t) => {
  const { machine, settings } = await setting(t);
  const host = await hostOf(t, settings);
  const pending = call(host, "hang");
  await machine.hanging.promise;
  const down = once(host.events, "down");
  await machine.die();
  assert.match((await pending).text, /"error_code":"ENCLAVE_UNAVAILABLE"/);
  await down;
  assert.match((await call(host, "x")).text, /"error_code":"ENCLAVE_UNAVAILABLE"/);
  const up = once(host.events, "up");
  await machine.start();
  await up;
  assert.equal((await call(host, "x")).status, 200);
  assert.deepEqual(machine.received, [
    "launch: document",
    "provision: statement",
    "launch: document",
    "provision: statement",
  ]);
});

test("a vsock daemon that stalls is as good as gone: what waits fails, and what answers again is launched anew", async (t) => {
  const { machine, settings } = await setting(t);
  const host = await hostOf(t, { ...settings, watch: { everyMs: 20, dialMs: 1_000, attempts: 2 } });
  const pending = call(host, "hang");
  await machine.hanging.promise;
  const down = once(host.events, "down");
  machine.stalled = true;
  await down;
  assert.match((await pending).text, /"error_code":"ENCLAVE_UNAVAILABLE"/);
  const up = once(host.events, "up");
  machine.stalled = false;
  await up;
  assert.equal((await call(host, "x")).status, 200);
});

test("a second gateway on the same machine is refused before it sends anything", async (t) => {
  const { machine, settings } = await setting(t);
  const host = await hostOf(t, settings);
  await assert.rejects(hostOf(t, settings), {
    code: "LAUNCH_VSOCK_IN_USE",
    message: /another gateway on this host uses the hybrid vsock socket/,
  });
  assert.equal(machine.received.length, 2);
  assert.equal((await call(host, "x")).status, 200);
  await host.close();
  await (await hostOf(t, settings)).close();
});

test("a services' socket that somebody holds refuses the start, and what was taken is given back", async (t) => {
  const { path, settings } = await setting(t);
  const squatter = createServer().listen(`${path}_6000`);
  await once(squatter, "listening");
  await assert.rejects(hostOf(t, settings), { code: "LAUNCH_VSOCK_IN_USE", message: /_6000 cannot be listened on/ });
  await new Promise((resolve) => squatter.close(resolve));
  await (await hostOf(t, settings)).close();
});

test("a machine that is not up in time is an error that asks for it", async (t) => {
  const { machine, settings } = await setting(t);
  await machine.die();
  await assert.rejects(hostOf(t, { ...settings, patience: { ms: 100, everyMs: 5, attemptMs: 20 } }), {
    code: "ENCLAVE_UNAVAILABLE",
    message: /is its machine up\?/,
  });
});

test("kernel vsock without the addon names what builds it, and holds nothing", async () => {
  const route = { cid: 3, addon: "/nonexistent/vsock.node" };
  for (let turn = 0; turn < 2; turn += 1) {
    await assert.rejects(openVsockLauncher({ launcher: "vsock", route, port: 5000 }), {
      code: "LAUNCH_PROGRAM_MISSING",
      message: /vsock\.node is not there: .*make build/,
    });
  }
});
