import assert from "node:assert/strict";
import { claimDecision } from "@cmcp/claim";

assert.equal(claimDecision("redact"), "redact");
// Nobody approved it, so the call was not let through.
assert.equal(claimDecision("step_up"), "deny");
assert.equal(claimDecision(null), "n/a");
