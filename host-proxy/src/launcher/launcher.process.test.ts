import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { unixDialer } from "@cmcp/wire";
import { memoryLog } from "../testing/memory-log.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { findIsolation, type IsolationMeans } from "./process/isolation.ts";
import { startEnclaveProcess, type EnclaveProcess } from "./process/process.ts";
import { makeRuntimeDirectory } from "./runtime-directory.ts";

/** Listens; `dialled` resolves with the first connection, before which no process that is to start may end. */
const LISTEN =
  "const { promise: dialled, resolve: accept } = Promise.withResolvers(); " +
  'require("node:net").createServer(accept).listen(process.env.CMCP_ENCLAVE_LISTEN);';

interface Started {
  readonly process: EnclaveProcess;
  readonly log: () => string;
  readonly entry: string;
}

async function start(t: TestContext, source: string, means?: IsolationMeans): Promise<Started> {
  const entry = join(temporaryDirectory(t), "entry.cjs");
  writeFileSync(entry, source);
  const directory = await makeRuntimeDirectory();
  t.after(() => directory.remove());
  const { log, text } = memoryLog();
  const enclave = { entry, readable: [dirname(entry)], extraFlags: [], extraArguments: ["one"] };
  const process = await startEnclaveProcess({
    nodePath: globalThis.process.execPath,
    enclave,
    means: means ?? (await findIsolation(true)),
    directory,
    dialer: unixDialer(directory.enclaveSocket),
    log,
  });
  t.after(() => process.stop());
  return { process, log: text, entry };
}

/** The lines the process printed, once it has ended. */
async function printed({ process, log }: Started): Promise<string[]> {
  await process.exited;
  const lines = (): { msg: string; line?: string }[] =>
    log()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { msg: string; line?: string });
  while (!log().includes("END")) await new Promise((resolve) => setTimeout(resolve, 5));
  return lines().flatMap(({ line }) => (line === undefined ? [] : [line]));
}

test("the process has two variables, its arguments, no code generation, no children and only its own files", async (t) => {
  const started = await start(
    t,
    `const attempt = (name, action) => { try { action(); console.log(name, "works"); } catch (error) { console.log(name, error.code ?? error.name); } };
     console.log(JSON.stringify(Object.keys(process.env).sort()), process.argv.slice(2).join());
     attempt("eval", () => new Function("return 1")());
     attempt("spawn", () => require("node:child_process").spawnSync("true"));
     attempt("passwd", () => require("node:fs").readFileSync("/etc/passwd"));
     attempt("write", () => require("node:fs").writeFileSync(__filename, ""));
     attempt("self", () => require("node:fs").readFileSync(__filename));
     attempt("proto", () => { if ({}.__proto__ === undefined) throw new TypeError(); });
     ${LISTEN}
     setTimeout(() => dialled.then(() => { console.log("END"); process.exit(0); }), 200);`,
  );
  assert.deepEqual(await printed(started), [
    '["CMCP_ENCLAVE_LISTEN","CMCP_HOST_SERVICES"] one',
    "eval EvalError",
    "spawn ERR_ACCESS_DENIED",
    "passwd ERR_ACCESS_DENIED",
    "write ERR_ACCESS_DENIED",
    "self works",
    "proto TypeError",
    "END",
  ]);
});

test("TCP, UDP and DNS fail from inside, while Unix sockets work", async (t) => {
  const means = await findIsolation(true);
  if (means.isolation === "none")
    return t.skip("user namespaces are forbidden here: the process cannot be kept from the network");
  const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const started = await start(
    t,
    `${LISTEN}
     const net = require("node:net");
     const tcp = (host, port) => new Promise((resolve) => net.connect(port, host).on("connect", () => resolve("works")).on("error", (error) => resolve(error.code)));
     const listen = () => new Promise((resolve) => { const s = net.createServer().listen(0, "0.0.0.0", () => { net.connect(s.address().port, "127.0.0.1").on("connect", () => resolve("works")).on("error", (error) => resolve(error.code)); }); });
     const udp = () => new Promise((resolve) => require("node:dgram").createSocket("udp4").send("x", 53, "1.1.1.1", (error) => resolve(error ? error.code : "works")));
     const dns = () => new Promise((resolve) => require("node:dns").resolve4("example.com", (error) => resolve(error ? error.code : "works")));
     const lookup = () => new Promise((resolve) => require("node:dns").lookup("example.com", (error) => resolve(error ? error.code : "works")));
     (async () => {
       console.log("interfaces", JSON.stringify(Object.keys(require("node:os").networkInterfaces())));
       console.log("loopback of the host", await tcp("127.0.0.1", ${port}));
       console.log("tcp", await tcp("1.1.1.1", 443));
       console.log("tcp6", await tcp("2606:4700:4700::1111", 443));
       console.log("own loopback", await listen());
       console.log("udp", await udp());
       console.log("dns", await dns());
       console.log("lookup", await lookup());
       console.log("END");
       await dialled;
       process.exit(0);
     })();`,
    means,
  );
  const lines = await printed(started);
  assert.equal(lines.length, 9);
  assert.equal(lines[0], "interfaces []");
  for (const line of lines.slice(1, -1))
    assert.match(line, / (ENETUNREACH|ECONNREFUSED|EAI_AGAIN|ENOTFOUND|EADDRNOTAVAIL)$/);
});

test("without network isolation it starts only in development", async () => {
  assert.deepEqual(await findIsolation(true, "/nonexistent/unshare"), { isolation: "none", prefix: [] });
  await assert.rejects(findIsolation(false, "/nonexistent/unshare"), { code: "ISOLATION_UNAVAILABLE" });
  // A program that is there and refuses, as unshare does where user namespaces are forbidden.
  await assert.rejects(findIsolation(false, "/bin/false"), { code: "ISOLATION_UNAVAILABLE" });
});

test("the runtime directory is private and removed", async () => {
  const directory = await makeRuntimeDirectory();
  assert.equal(statSync(directory.path).mode & 0o777, 0o700);
  await directory.remove();
  assert.equal(existsSync(directory.path), false);
});

test("a process that ends before it listens is ENCLAVE_UNAVAILABLE", async (t) => {
  await assert.rejects(start(t, "process.exit(3);"), { code: "ENCLAVE_UNAVAILABLE" });
  await assert.rejects(start(t, "throw new Error('x');"), { code: "ENCLAVE_UNAVAILABLE" });
});

test("signals to stop do not end the process: its host does", async (t) => {
  const { process, log } = await start(t, `${LISTEN} process.on("SIGUSR2", () => console.log("still here"));`);
  for (const name of ["SIGINT", "SIGTERM", "SIGUSR2"]) globalThis.process.kill(process.pid, name);
  while (!log().includes("still here")) {
    assert.ok(alive(process.pid));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.deepEqual(await process.stop(), { exitCode: 0, exitSignal: undefined });
});

test("a process that reads neither its input nor its signals is killed", async (t) => {
  const { process } = await start(t, `${LISTEN} dialled.then(() => { for (;;); });`);
  assert.deepEqual(await process.stop(), { exitCode: undefined, exitSignal: "SIGKILL" });
});

test("output is logged line by line, bounded in length and number", async (t) => {
  const started = await start(
    t,
    `process.stdout.write("a".repeat(100_000) + "\\nsplit "); process.stdout.write("line\\n");
     for (let i = 0; i < 5000; i += 1) process.stderr.write("noise\\n");
     ${LISTEN}
     setTimeout(() => dialled.then(() => { console.log("END"); process.exit(0); }), 1200);`,
  );
  const lines = await printed(started);
  assert.equal(lines[0]?.length ?? 0, 2_048);
  assert.ok(lines.includes("split line"));
  const noise = lines.filter((line) => line === "noise").length;
  assert.ok(noise >= 100 && noise < 1_000, `${noise} lines were kept`);
  while (!started.log().includes("enclave output dropped")) await new Promise((resolve) => setTimeout(resolve, 5));
});

test("the process does not outlive a host that is killed", async (t) => {
  const entry = join(temporaryDirectory(t), "entry.cjs");
  writeFileSync(entry, LISTEN);
  const module = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const source = `
    const { startEnclaveProcess } = await import(${module("./process/process.ts")});
    const { makeRuntimeDirectory } = await import(${module("./runtime-directory.ts")});
    const { findIsolation } = await import(${module("./process/isolation.ts")});
    const { createLog } = await import(${module("../log.ts")});
    const { unixDialer } = await import(${JSON.stringify(import.meta.resolve("@cmcp/wire"))});
    const directory = await makeRuntimeDirectory();
    const enclave = { entry: ${JSON.stringify(entry)}, readable: [], extraFlags: [], extraArguments: [] };
    const means = await findIsolation(true);
    const started = await startEnclaveProcess({ nodePath: process.execPath, enclave, means, directory, dialer: unixDialer(directory.enclaveSocket), log: createLog({ level: "silent" }) });
    process.stdout.write(JSON.stringify({ pid: started.pid, path: directory.path }));
    setInterval(() => {}, 1000);`;
  const host = spawn(process.execPath, ["--no-warnings", "--input-type=module", "--eval", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output] = (await once(host.stdout, "data")) as [Buffer];
  const { pid, path } = JSON.parse(output.toString()) as { pid: number; path: string };
  t.after(() => rmSync(path, { recursive: true, force: true }));
  assert.ok(alive(pid));
  host.kill("SIGKILL");
  await once(host, "exit");
  while (alive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
