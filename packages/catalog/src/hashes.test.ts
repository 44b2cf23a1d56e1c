import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { CmcpError } from "@cmcp/boundary";
import { catalogHash, definitionHash, driftDigest } from "./hashes.ts";
import { LEDGER, LEDGER_DEFINITION, NOTE_DEFINITION, entry } from "./test-support.ts";

// Computed with the existing implementation's package over the same entries.
const EXISTING = {
  catalog: "sha256:9fbb8e6bca43ddfa6a5d46908dcb1e4c8f0bdb55b3a0770d698bbada97c387aa",
  note: "sha256:740a95e17113d0c4c167cfaca981689a15712360255a138bd50f1e3fc7a6f6e3",
  ledger: "sha256:5e2654c79f081654d1dcbe05d63388ac914adfe9c87550808a4733e1042170d9",
  noteDrift: "sha256:01aeacc603c62339b133794556e2beec18d6444eb1bf936134ddbdf1577d4ee3",
};

void test("hashes are those the existing implementation computes", () => {
  assert.equal(catalogHash([entry("post_note"), LEDGER]), EXISTING.catalog);
  assert.equal(definitionHash(NOTE_DEFINITION), EXISTING.note);
  assert.equal(definitionHash(LEDGER_DEFINITION), EXISTING.ledger);
  assert.equal(
    driftDigest({
      description: "Posts a note.",
      inputSchema: { type: "object", properties: { text: { type: "string" } } },
      outputSchema: null,
    }),
    EXISTING.noteDrift,
  );
});

void test("an object with entries hashes as its array", () => {
  assert.equal(catalogHash({ entries: [LEDGER, entry("post_note")] }), EXISTING.catalog);
});

void test("the catalog hash does not depend on the order of entries or keys", () => {
  const entries = ["a", "b.c", "d_e", "f-g", "h"].map((name) => entry(name));
  const wanted = catalogHash(entries);
  fc.assert(
    fc.property(fc.shuffledSubarray(entries, { minLength: entries.length }), fc.boolean(), (shuffled, reverse) => {
      const rekeyed = shuffled.map((each) =>
        Object.fromEntries(reverse ? Object.entries(each).toReversed() : Object.entries(each)),
      );
      assert.equal(catalogHash(rekeyed), wanted);
    }),
  );
});

void test("any change of an entry changes the catalog hash", () => {
  const wanted = catalogHash([entry("a"), entry("b")]);
  fc.assert(
    fc.property(
      fc.constantFrom("approved_by", "added_at", "compliance_domain", "sensitivity_level"),
      fc.string({ minLength: 1 }),
      (key, value) => {
        fc.pre(entry("a")[key] !== value);
        assert.notEqual(catalogHash([entry("a", { [key]: value }), entry("b")]), wanted);
      },
    ),
  );
});

void test("what is not a list of named entries has no hash", () => {
  for (const raw of [null, "x", {}, { entries: [], more: 1 }, [1], [{ tool_name: 5 }]]) {
    assert.throws(
      () => catalogHash(raw),
      (thrown) => thrown instanceof CmcpError && thrown.code === "CATALOG_INVALID",
    );
  }
});
