import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import { verifyReceipt } from "@cmcp/verify";

const bytes = await readFile(new URL("../../claim/examples/record/receipt.json", import.meta.url));

// The signing key of the instance, as verifyInstance gives it.
const key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const { receipt, head } = await verifyReceipt(bytes, key, webcrypto);
assert.deepEqual([receipt.decision, head.origin, head.size], ["redact", "gateway.example/0", 4]);
