import assert from "node:assert/strict";
import { firmwareText } from "@cmcp/claim";

const text = firmwareText("software-only", { isolation: "network-namespace", channel: "plain" });
assert.equal(text, "software-only; isolation=network-namespace; channel=plain");
