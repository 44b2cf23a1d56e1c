import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { untrusted } from "@cmcp/boundary";
import { decodeScanned, encodeScanned } from "@cmcp/wire";

const piece = encodeScanned([{ index: 7, kind: "entry", leaf: new Uint8Array([2]), body: new Uint8Array([1]) }]);
const shown: [number, string][] = [];
for await (const { index, kind } of decodeScanned(Readable.from([untrusted(piece)]), 1_000)) shown.push([index, kind]);
assert.deepEqual(shown, [[7, "entry"]]);
