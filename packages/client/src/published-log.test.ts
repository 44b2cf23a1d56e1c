import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { preset } from "@cmcp/appraise";
import { connect } from "./connect.ts";
import { ScriptedEnclave } from "./testing/scripted-enclave.ts";

const EXPECTED = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;
const CALL = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo" } });

/** A client of an enclave whose host publishes what a test says. */
async function start() {
  const enclave = new ScriptedEnclave();
  const notices: string[] = [];
  let monotonic = 0;
  const connection = await connect(enclave.url, EXPECTED, {
    crypto: webcrypto,
    fetch: enclave.fetch,
    monotonic: () => monotonic,
    onNotice: (text) => notices.push(text),
  });
  const ask = async (): Promise<string> =>
    await (await connection.fetch(enclave.endpoint, { method: "POST", body: CALL })).text();
  const later = (milliseconds: number): void => void (monotonic += milliseconds);
  return { enclave, notices, connection, ask, later };
}

/** Publishes the log as a host that hides nothing. */
function publish(enclave: ScriptedEnclave, log = enclave): void {
  enclave.host = (path) => {
    const size = log.leaves.length;
    if (path === "/checkpoint") return new Response(log.placeOf(0).note);
    return path === `/tile/0/000.p/${size}` ? new Response(log.tile) : new Response(null, { status: 404 });
  };
}

const looked = ({ asked }: ScriptedEnclave): number => asked.filter((path) => path === "/checkpoint").length;

test("the heads of receipts are held to the published log, now and then and at the end", async () => {
  const { enclave, connection, ask, later, notices } = await start();
  publish(enclave);
  await ask();
  await connection.close();
  assert.equal(looked(enclave), 1);
  for (let receipts = 1; receipts < 64; receipts += 1) await ask();
  assert.equal(looked(enclave), 1);
  await ask();
  assert.equal(looked(enclave), 2);
  await connection.close();
  later(29_999);
  await ask();
  assert.equal(looked(enclave), 2);
  later(1);
  await ask();
  assert.equal(looked(enclave), 3);
  await connection.close();
  await connection.close();
  assert.equal(looked(enclave), 3, "no head is left");
  assert.deepEqual(notices, []);
});

test("a published log that is another, that became shorter or whose tiles are not its own closes the connection", async () => {
  const lies: readonly ((enclave: ScriptedEnclave) => void)[] = [
    (enclave) => {
      const other = new ScriptedEnclave();
      for (const _ of enclave.leaves) other.echo(JSON.parse(CALL) as { [name: string]: string });
      publish(enclave, other);
    },
    (enclave) => {
      enclave.origin = "log.example/1";
    },
    (enclave) => {
      enclave.leaves.length = 2;
    },
    (enclave) => {
      const honest = enclave.host;
      enclave.host = (path) =>
        path === "/checkpoint" ? honest(path) : new Response(new Uint8Array(enclave.tile.length));
    },
  ];
  for (const [at, lie] of lies.entries()) {
    const { enclave, connection, ask, later } = await start();
    publish(enclave);
    await ask();
    await ask();
    await connection.close();
    await ask();
    later(60_000);
    lie(enclave);
    await assert.rejects(connection.close(), { code: "LOG_MISMATCH" }, String(at));
    const before = enclave.asked.length;
    await assert.rejects(ask(), { code: "LOG_MISMATCH" });
    assert.equal(enclave.asked.length, before, "nothing is sent");
  }
});

test("a log that is not published is said to be so, once, and is no failure", async () => {
  for (const host of [
    () => new Response(null, { status: 404 }),
    () => new Response("<html>a page</html>"),
    () => new Response(new Uint8Array(200_000)),
    (): Response => {
      throw new TypeError("fetch failed");
    },
  ]) {
    const { enclave, connection, ask, later, notices } = await start();
    enclave.host = host;
    await ask();
    await connection.close();
    const before = looked(enclave);
    later(60_000);
    await ask();
    assert.equal(looked(enclave), before, "it is not asked for again soon");
    later(600_000);
    await ask();
    assert.equal(looked(enclave), before + 1);
    await connection.close();
    assert.equal(notices.length, 1);
    assert.match(notices[0] ?? "", /the log is not published/);
  }
});

test("a published log that is behind is waited for, and its full tile stands for a partial one", async () => {
  const { enclave, connection, ask, later } = await start();
  const old = new ScriptedEnclave();
  old.leaves[0] = Buffer.from("[]");
  publish(enclave, old);
  await ask();
  await connection.close();
  publish(enclave);
  later(60_000);
  await ask();
  await connection.close();
  const honest = enclave.host;
  const [note, tile, size] = [enclave.placeOf(0).note, enclave.tile, enclave.leaves.length];
  enclave.host = (path) => {
    if (path === "/checkpoint") return new Response(note);
    return path === `/tile/0/000.p/${size}` ? new Response(null, { status: 404 }) : new Response(tile);
  };
  later(60_000);
  await ask();
  await connection.close();
  enclave.host = honest;
  await connection.close();
  const seen = looked(enclave);
  await connection.close();
  assert.equal(looked(enclave), seen, "the head that waited was held to it");
});
