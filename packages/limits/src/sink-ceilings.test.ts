import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SinkCeilings } from "./sink-ceilings.ts";

const RANKS: Readonly<Record<string, number>> = { public: 0, pii: 1, mnpi: 3, hipaa_phi: 3 };
const ceilings = new SinkCeilings({ mail: "public", records: "hipaa_phi" }, "pii", (label) => {
  const rank = RANKS[label];
  if (rank === undefined) throw new Error("unknown label");
  return rank;
});

void describe("sink ceilings", () => {
  void it("admit what is at most as sensitive as the ceiling", () => {
    assert.equal(ceilings.admitsTo("records", ["public", "hipaa_phi"]), true);
    assert.equal(ceilings.admitsTo("records", ["mnpi"]), true, "ranks, not compartments");
    assert.equal(ceilings.admitsTo("mail", ["public"]), true);
    assert.equal(ceilings.admitsTo("mail", ["public", "pii"]), false);
    assert.equal(ceilings.admitsResponse(["pii"]), true);
    assert.equal(ceilings.admitsResponse(["hipaa_phi"]), false);
  });

  void it("admit nothing to a sink without a ceiling, and nothing that has no label", () => {
    assert.equal(ceilings.admitsTo("other", ["public"]), false);
    assert.equal(ceilings.admitsTo("records", []), false);
  });

  void it("are refused with an unknown label", () => {
    assert.throws(() => new SinkCeilings({ mail: "secret" }, "pii", (label) => RANKS[label] ?? assert.fail(label)));
    assert.throws(() => ceilings.admitsTo("records", ["secret"]));
  });
});
