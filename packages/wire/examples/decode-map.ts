import assert from "node:assert/strict";
import { untrusted } from "@cmcp/boundary";
import { decodeMap } from "@cmcp/wire";

assert.deepEqual(decodeMap(untrusted(Buffer.from("a2616101616202", "hex"))), { a: 1, b: 2 });
// The same map with its keys the other way round.
assert.throws(() => decodeMap(untrusted(Buffer.from("a2616202616101", "hex"))), { code: "WIRE_NON_CANONICAL" });
