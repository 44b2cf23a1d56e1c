import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { CheckRecorder } from "@cmcp/appraise";
import { leafHash, parseCheckpoint, parseNote } from "@cmcp/log";
import { checkWitnessing, ShownLog } from "@cmcp/verify";

const hash = leafHash(new TextEncoder().encode("{}"));
const text = `log.example/0\n1\n${Buffer.from(hash).toString("base64")}\n\n— log.example/0 AAAAAAA=\n`;
const note = parseNote(text);
const checkpoint = parseCheckpoint(note.text);
const log = new ShownLog({ note, checkpoint, readTile: () => Promise.resolve(hash) }, webcrypto);
const list = new CheckRecorder();
assert.equal(await checkWitnessing(webcrypto, log, {}, list), "UNWITNESSED");
const earlierCheckpoints = [new TextEncoder().encode(text)];
assert.equal(await checkWitnessing(webcrypto, log, { earlierCheckpoints }, list), "CONSISTENT");
