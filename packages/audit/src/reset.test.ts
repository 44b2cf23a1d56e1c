import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalText } from "@cmcp/boundary";
import { operatorSigningInput } from "./operator-statement.ts";
import type { ResetStatement } from "./reset.ts";

test("an operator signs the statement's canonical JSON behind the domain of operators", () => {
  const statement: ResetStatement = {
    v: 1,
    purpose: "session-reset",
    session_id: "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90",
    chain_tip: "0".repeat(64),
    instance: "A".repeat(43),
    sequence: 1,
    reason: "looked at",
  };
  assert.equal(
    new TextDecoder().decode(operatorSigningInput(statement)),
    `cmcp-operator-v1|${canonicalText(statement)}`,
  );
});
