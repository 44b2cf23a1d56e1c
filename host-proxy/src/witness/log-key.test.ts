import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isSignedBy, parseNote } from "@cmcp/log";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { openLogKey } from "./log-key.ts";

const ORIGIN = "gateway.example/log/0";

test("a key is made once, for its owner alone, and read again", async (t) => {
  const folder = temporaryDirectory(t);
  const path = join(folder, "log.key");
  const key = await openLogKey(path, ORIGIN);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ["log.key"]);
  const written = readFileSync(path, "utf8");
  const again = await openLogKey(path, ORIGIN);
  assert.deepEqual(again.verifierKey, key.verifierKey);
  assert.equal(readFileSync(path, "utf8"), written);
  assert.equal(key.verifierKey.name, ORIGIN);
  const note = parseNote(`text\n\n${key.signatureLine("text\n")}`);
  assert.ok(isSignedBy(note, again.verifierKey));
});

test("of processes that make it at once, all have the same key", async (t) => {
  const path = join(temporaryDirectory(t), "log.key");
  const keys = await Promise.all(Array.from({ length: 8 }, () => openLogKey(path, ORIGIN)));
  assert.equal(new Set(keys.map(({ verifierKey }) => verifierKey.id)).size, 1);
});

test("another file is refused, and stays", async (t) => {
  const folder = temporaryDirectory(t);
  const path = join(folder, "log.key");
  await openLogKey(path, ORIGIN);
  const written = readFileSync(path, "utf8");
  for (const text of [
    "",
    "\n",
    written.slice(1),
    written.replace("PRIVATE+KEY+", "private+key+"),
    written.replace(ORIGIN, "gateway.example/log/1"),
    written.replace(/\+([0-9a-f]{8})\+/, "+00000000+"),
    written.replace(/\+A/, "+B"),
    written.slice(0, -6),
    `${written}${written}`,
    `${written}\n`,
    written + " ".repeat(1000),
  ]) {
    writeFileSync(path, text);
    await assert.rejects(openLogKey(path, ORIGIN), { code: "LOG_KEY_INVALID" }, text);
    assert.equal(readFileSync(path, "utf8"), text);
  }
});

test("a file that is far too large is not read", async (t) => {
  const path = join(temporaryDirectory(t), "log.key");
  await openLogKey(path, ORIGIN);
  truncateSync(path, 3 * 2 ** 30);
  await assert.rejects(openLogKey(path, ORIGIN), { code: "LOG_KEY_INVALID", message: /it is not a key/ });
});

test("a file that others may read is refused", async (t) => {
  const path = join(temporaryDirectory(t), "log.key");
  await openLogKey(path, ORIGIN);
  for (const mode of [0o640, 0o604, 0o660, 0o601]) {
    chmodSync(path, mode);
    await assert.rejects(openLogKey(path, ORIGIN), { code: "LOG_KEY_INVALID", message: /others/ }, mode.toString(8));
  }
});

test("a folder, a folder that is not there, and a link to nothing are no key", async (t) => {
  const folder = temporaryDirectory(t);
  mkdirSync(join(folder, "key"), { mode: 0o700 });
  await assert.rejects(openLogKey(join(folder, "key"), ORIGIN), { code: "LOG_KEY_INVALID" });
  await assert.rejects(openLogKey(join(folder, "none", "log.key"), ORIGIN), { code: "LOG_KEY_INVALID" });
  symlinkSync(join(folder, "target"), join(folder, "link"));
  await assert.rejects(openLogKey(join(folder, "link"), ORIGIN), { code: "LOG_KEY_INVALID" });
  assert.ok(!existsSync(join(folder, "target")));
});

test("an origin that cannot name a key makes none", async (t) => {
  const folder = temporaryDirectory(t);
  for (const origin of ["", "a b", "a+b", "a\n", "a".repeat(256)])
    await assert.rejects(openLogKey(join(folder, "log.key"), origin), { code: "CONFIG_INVALID" });
  assert.deepEqual(readdirSync(folder), []);
});
