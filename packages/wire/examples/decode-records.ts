import assert from "node:assert/strict";
import { untrusted } from "@cmcp/boundary";
import { decodeRecords } from "@cmcp/wire";

const body = Buffer.from("05656e74727901730000000101", "hex");
const [record] = decodeRecords(untrusted(body));
assert.equal(record?.kind, "entry");
assert.equal(record.session, "s");
assert.deepEqual([...record.bytes], [1]);
