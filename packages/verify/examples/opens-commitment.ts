import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { opensCommitment } from "@cmcp/verify";

// What a call sent, and the salt that came with its sealed answer.
const text = '{"method":"tools/call","params":{"arguments":{"text":"hi"},"name":"echo"}}';
const salt = "89dc8beb22da21184051efce0429d895c03dee890d917d7fa0a0c91fd15e78a4";

const commitment = "sha256:a1c65d4dbdc690c65e28f587e0efa6778512331fd77f5e4befa0f337db39fdd9";
assert.ok(await opensCommitment(webcrypto, "request", { salt, text }, commitment));
assert.equal(await opensCommitment(webcrypto, "response", { salt, text }, commitment), false);
