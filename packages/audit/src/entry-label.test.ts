import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionChain } from "./chain.ts";
import type { AuditEntry } from "./entry.ts";
import {
  dataLabelDetail,
  dataLabelsOf,
  isUntrusted,
  labelAfterReset,
  resetLabelDetail,
  sessionLabelDetail,
  sessionLabelsOf,
} from "./entry-label.ts";

const entry = (fields: Partial<AuditEntry>): AuditEntry => ({
  ...new SessionChain("0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90", () => 0).append({ entry_type: "session_start" }),
  ...fields,
});
const label = (compartments: readonly string[], integrity: "trusted" | "untrusted" = "trusted") => ({
  compartments,
  integrity,
});

test("a session's label is written where there is one to write", () => {
  assert.deepEqual(sessionLabelDetail(label([])), {});
  assert.deepEqual(sessionLabelDetail(label(["mnpi"])), { compartments: "mnpi" });
  assert.deepEqual(sessionLabelDetail(label(["mnpi", "pii"], "untrusted")), {
    compartments: "mnpi,pii",
    integrity: "untrusted",
  });
});

test("the compartments of a call's data are written where its class does not say all", () => {
  assert.deepEqual(dataLabelDetail(label([])), {});
  assert.deepEqual(dataLabelDetail(label(["pii"], "untrusted")), {});
  assert.deepEqual(dataLabelDetail(label(["mnpi", "pii"])), { data_compartments: "mnpi,pii" });
});

test("what a reset does not cover is written where there is something, and read back", () => {
  for (const [left, detail] of [
    [label([]), {}],
    [label([], "untrusted"), { principal_integrity: "untrusted" }],
    [label(["mnpi", "pii"]), { principal_compartments: "mnpi,pii" }],
    [label(["pii"], "untrusted"), { principal_compartments: "pii", principal_integrity: "untrusted" }],
  ] as const) {
    assert.deepEqual(resetLabelDetail(left), detail);
    const reset = entry({ entry_type: "session_reset", session_sensitivity_after: "public", detail });
    assert.deepEqual(labelAfterReset(reset), {
      labels: ["public", ...left.compartments],
      untrusted: left.integrity === "untrusted",
    });
  }
});

test("a reset without a label leaves what the principal's other sessions have seen, and no other", () => {
  const after = (detail: AuditEntry["detail"]) => labelAfterReset(entry({ entry_type: "session_reset", detail }));
  assert.deepEqual(after({ principal_compartments: "pii" }), { labels: ["pii"], untrusted: false });
  assert.deepEqual(after(null), { labels: [], untrusted: false });
});

test("a list over 2048 characters stands for every compartment", () => {
  const list = (length: number): readonly string[] => ["a", "b".repeat(length - 2)];
  assert.equal(sessionLabelDetail(label(list(2_048)))["compartments"]?.length, 2_048);
  assert.equal(sessionLabelDetail(label(list(2_049)))["compartments"], "*");
  assert.equal(dataLabelDetail(label(list(2_049)))["data_compartments"], "*");
  assert.equal(resetLabelDetail(label(list(2_049)))["principal_compartments"], "*");
});

test("an entry's labels are read as they were written, and none without the linear one", () => {
  const detail = { ...sessionLabelDetail(label(["a", "b"], "untrusted")), ...dataLabelDetail(label(["c", "d"])) };
  const written = entry({ session_sensitivity_after: "pii", effective_data_class: "mnpi", detail });
  assert.deepEqual(sessionLabelsOf(written), ["pii", "a", "b"]);
  assert.deepEqual(dataLabelsOf(written), ["mnpi", "c", "d"]);
  assert.equal(isUntrusted(written), true);
  const bare = entry({ session_sensitivity_after: "pii", effective_data_class: "mnpi" });
  assert.deepEqual([sessionLabelsOf(bare), dataLabelsOf(bare), isUntrusted(bare)], [["pii"], ["mnpi"], false]);
  assert.deepEqual([sessionLabelsOf(entry({ detail })), dataLabelsOf(entry({ detail }))], [[], []]);
  const odd = entry({ session_sensitivity_after: "pii", detail: { compartments: 3, integrity: "trusted" } });
  assert.deepEqual([sessionLabelsOf(odd), isUntrusted(odd)], [["pii"], false]);
  assert.deepEqual(sessionLabelsOf(entry({ session_sensitivity_after: "pii", detail: { compartments: "" } })), ["pii"]);
});
