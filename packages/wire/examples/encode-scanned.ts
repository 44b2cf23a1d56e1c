import assert from "node:assert/strict";
import { encodeScanned } from "@cmcp/wire";

const piece = encodeScanned([{ index: 7, kind: "entry", leaf: new Uint8Array([2]), body: new Uint8Array([1]) }]);
assert.equal(Buffer.from(piece).toString("hex"), "00000000000705656e7472790001020000000101");
