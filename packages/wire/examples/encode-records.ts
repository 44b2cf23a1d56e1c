import assert from "node:assert/strict";
import { untrusted } from "@cmcp/boundary";
import { decodeRecords, encodeRecords } from "@cmcp/wire";

const record = { session: "s", kind: "entry", bytes: new Uint8Array([1, 2, 3]) };
assert.equal(decodeRecords(untrusted(encodeRecords([record, record]))).length, 2);
