import assert from "node:assert/strict";
import { untrusted } from "@cmcp/boundary";
import { decodeFrame } from "@cmcp/wire";

// What a Framer hands over: the CBOR without its length.
assert.deepEqual(decodeFrame(untrusted(Buffer.from("a2617463656e64617801", "hex"))), { t: "end", x: 1 });
assert.throws(() => decodeFrame(untrusted(Buffer.from("a0", "hex"))), { code: "WIRE_MALFORMED" });
