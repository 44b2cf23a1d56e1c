import assert from "node:assert/strict";
import { keyIdOf } from "@cmcp/claim";

const publicKey = Buffer.from("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "hex");
assert.equal(keyIdOf(publicKey), "cmcp-00112233");
