import assert from "node:assert/strict";
import { subjectOf } from "@cmcp/claim";

const publicKey = Buffer.from("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "hex");
assert.equal(subjectOf(publicKey), "spiffe://cmcp.gateway/tee/0011223344556677");
