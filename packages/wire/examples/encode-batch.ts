import assert from "node:assert/strict";
import { untrusted } from "@cmcp/boundary";
import { decodeBatch, encodeBatch } from "@cmcp/wire";

const record = { session: "s", kind: "entry", leaf: new Uint8Array([1, 2, 3]), body: new Uint8Array([4]) };
assert.equal(decodeBatch(untrusted(encodeBatch({ note: "n", records: [record, record] }))).records.length, 2);
