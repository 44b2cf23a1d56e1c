import assert from "node:assert/strict";
import { encodeFrame } from "@cmcp/wire";

// Four bytes of length, then CBOR with sorted keys.
const frame = encodeFrame({ t: "end", x: 1 });
assert.equal(Buffer.from(frame).toString("hex"), "0000000aa2617463656e64617801");
