/** `cmcp log lost`. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test, type TestContext } from "node:test";
import { openedEpoch } from "@cmcp/audit";
import { formatCheckpoint } from "@cmcp/log";
import { parse } from "yaml";
import { temporaryDirectory } from "../../../../host-proxy/src/testing/temporary-directory.ts";
import { WrittenLog } from "../../../verify/src/testing/written-log.ts";
import { logLost } from "./log-lost.ts";
import { runJson } from "./testing/run-command.ts";

const ORIGIN = "gateway.example/7";
const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const operatorKeys = [publicKey.export({ format: "jwk" }).x ?? ""];

/** Arguments that sign a statement, and where files are written. */
function given(t: TestContext): { readonly args: readonly string[]; readonly file: (text: string) => string } {
  const folder = temporaryDirectory(t);
  const file = (text: string): string => {
    writeFileSync(join(folder, "file"), text);
    return join(folder, "file");
  };
  writeFileSync(join(folder, "key"), privateKey.export({ type: "pkcs8", format: "pem" }));
  return { args: ["--origin", ORIGIN, "--key", join(folder, "key"), "--reason", "the disk is gone"], file };
}

async function signed(args: readonly string[]) {
  const { answer } = await runJson(logLost, ...args);
  return answer as { readonly ok: boolean; readonly origin: string; readonly lost_store: unknown };
}

test("what it prints opens the next epoch, as JSON and as settings of a configuration", async (t) => {
  const { args } = given(t);
  const { ok, origin, lost_store } = await signed(args);
  assert.deepEqual([ok, origin], [true, "gateway.example/8"]);
  const opened = openedEpoch({ origin: "gateway.example/8", lostStore: lost_store, operatorKeys });
  assert.deepEqual(opened?.statement, {
    v: 1,
    purpose: "lost-store",
    origin: ORIGIN,
    last: "unknown",
    reason: "the disk is gone",
  });
  const out = new PassThrough();
  await logLost.run(args, { out, err: out, colour: false });
  out.end();
  assert.deepEqual(parse((await out.toArray()).join("")), { log: { origin, lost_store } });
});

test("a checkpoint that was kept gives size and root", async (t) => {
  const { args, file } = given(t);
  const log = new WrittenLog(ORIGIN);
  await log.begin();
  await log.session();
  const { lost_store: lostStore } = await signed([...args, "--checkpoint", file(log.note)]);
  const { last } = openedEpoch({ origin: "gateway.example/8", lostStore, operatorKeys })?.statement ?? {};
  const { size, root } = log.files().checkpoint;
  assert.deepEqual(last, { size, root: Buffer.from(root).toString("hex") });
});

test("it refuses a checkpoint of another log or none, and an origin without a next epoch", async (t) => {
  const { args, file } = given(t);
  const other = new WrittenLog("other.example/7");
  await other.begin();
  for (const text of [
    other.note,
    "cut off",
    `${formatCheckpoint({ origin: ORIGIN, size: 0, root: new Uint8Array(32) })}\n`,
  ])
    await assert.rejects(runJson(logLost, ...args, "--checkpoint", file(text)), { code: "USAGE" }, text);
  for (const origin of ["gateway.example", "gateway.example/999999999"])
    await assert.rejects(runJson(logLost, "--origin", origin, ...args.slice(2)), { code: "USAGE" }, origin);
});
