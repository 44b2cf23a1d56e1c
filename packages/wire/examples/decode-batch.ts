import assert from "node:assert/strict";
import { untrusted } from "@cmcp/boundary";
import { decodeBatch } from "@cmcp/wire";

const body = Buffer.from("00016e05656e74727901730001020000000101", "hex");
const { note, records } = decodeBatch(untrusted(body));
assert.equal(note, "n");
const [record] = records;
assert.equal(record?.kind, "entry");
assert.equal(record.session, "s");
assert.deepEqual([[...record.leaf], [...record.body]], [[2], [1]]);
