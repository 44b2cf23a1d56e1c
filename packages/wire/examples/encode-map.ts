import assert from "node:assert/strict";
import { encodeMap } from "@cmcp/wire";

assert.equal(Buffer.from(encodeMap({ b: 2, a: 1 })).toString("hex"), "a2616101616202");
