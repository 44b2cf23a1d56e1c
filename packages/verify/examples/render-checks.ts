import assert from "node:assert/strict";
import { CheckRecorder } from "@cmcp/appraise";
import { renderChecks } from "@cmcp/verify";

const list = new CheckRecorder();
list.fail("log root", "LOG_MISMATCH", "the tiles have another root");
const [line] = renderChecks(list.checks);
assert.equal(line?.tone, "bad");
assert.ok(line.text.endsWith("log root: the tiles have another root [LOG_MISMATCH]"));
