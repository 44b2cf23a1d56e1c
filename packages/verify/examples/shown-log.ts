import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { leafHash, parseCheckpoint, parseNote } from "@cmcp/log";
import { ShownLog } from "@cmcp/verify";

// A log of one record, whose root is the hash of its leaf.
const leaf = new TextEncoder().encode("{}");
const root = Buffer.from(leafHash(leaf)).toString("base64");
const note = parseNote(`log.example/0\n1\n${root}\n\n— log.example/0 AAAAAAA=\n`);
const checkpoint = parseCheckpoint(note.text);
const log = new ShownLog({ note, checkpoint, readTile: () => Promise.resolve(leafHash(leaf)) }, webcrypto);
assert.ok(await log.hasRoot());
assert.ok(await log.holds(leaf, 0));
assert.equal(await log.holds(new TextEncoder().encode("[]"), 0), false);
