import assert from "node:assert/strict";
import { untrusted } from "@cmcp/boundary";
import { decodeFrame, encodeFrame, Framer, type Frame } from "@cmcp/wire";

const framer = new Framer();
const frames: Frame[] = [];
// A stream may cut the bytes anywhere.
for (const byte of encodeFrame({ t: "end", x: 7 }))
  framer.push(untrusted(Uint8Array.of(byte)), (payload) => frames.push(decodeFrame(payload)));
assert.deepEqual(frames, [{ t: "end", x: 7 }]);
assert.ok(framer.atBoundary);
