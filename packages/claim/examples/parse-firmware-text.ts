import assert from "node:assert/strict";
import { parseFirmwareText } from "@cmcp/claim";

const read = parseFirmwareText("software-only; isolation=none; channel=plain");
assert.deepEqual(read, { firmware: "software-only", isolation: "none", channel: "plain" });
assert.equal(parseFirmwareText("software-only"), undefined);
