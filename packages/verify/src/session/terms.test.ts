import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { describe, test } from "node:test";
import { preset } from "@cmcp/appraise";
import type { AuditEntry } from "@cmcp/audit";
import { canonicalBytes } from "@cmcp/boundary";
import type { Claim } from "@cmcp/claim";
import type { SessionTerms } from "../expectations.ts";
import { verifyBundle, verifyIncomplete, type Verdict } from "../index.ts";
import { Instance, relink } from "../testing/instance.ts";
import { altered, claimOf, entriesOf, EXPECTED, failures, judge } from "../testing/session.ts";

type Mode = "enforcing" | "advisory" | "silent";

const instance = new Instance();
const trustedKey = instance.jwk.x;
const CLAIMED = { enforcing: "enforce", advisory: "advisory", silent: "silent" } as const;

/** A session's entries with members of its root entry replaced, and one call as `call` has it. */
function entriesWith(root: Record<string, string>, call: Partial<AuditEntry> = {}, closed = true): AuditEntry[] {
  const [start, first, ...rest] = entriesOf(instance, closed) as [AuditEntry, AuditEntry, ...AuditEntry[]];
  return relink([{ ...start, detail: { ...start.detail, ...root } }, { ...first, ...call }, ...rest]);
}

function claimWith(entries: readonly AuditEntry[], mode: Mode): Claim {
  return instance.claim(
    altered(claimOf(instance, entries), (draft) => (draft.trace.policy.enforcement_mode = CLAIMED[mode])),
  );
}

/** The three ways in, each with the same session. */
const WAYS: Record<string, (entries: readonly AuditEntry[], mode: Mode, terms: SessionTerms) => Promise<Verdict>> = {
  "a claim with its bundle": (entries, mode, terms) =>
    judge({ claim: claimWith(entries, mode), bundle: instance.bundle(entries) }, { trustedKey, ...terms }),
  "a bundle alone": (entries, _mode, terms) =>
    verifyBundle(
      { bundle: canonicalBytes(instance.bundle(entries)) },
      { allowSoftwareOnly: true, trustedKey, ...terms },
      webcrypto,
    ),
  "an interrupted session's export": (entries, _mode, terms) =>
    verifyIncomplete(
      {
        export: canonicalBytes({
          session_id: entries[0]?.session_id ?? "",
          incomplete: true,
          signing_key: instance.jwk,
          entries,
          receipts: instance.receiptsOf(entries),
        }),
      },
      { allowSoftwareOnly: true, trustedKey, ...terms },
      webcrypto,
    ),
};

for (const [way, verdictOf] of Object.entries(WAYS)) {
  describe(way, () => {
    for (const mode of ["advisory", "silent"] as const) {
      test(`${mode} is accepted only where the relying party says so`, async () => {
        const entries = entriesWith({ enforcement_mode: mode });
        const refused = await verdictOf(entries, mode, {});
        assert.deepEqual([refused.outcome, failures(refused)], ["rejected", ["enforcement mode MODE_NOT_ACCEPTED"]]);
        assert.equal((await verdictOf(entries, mode, { allowModes: ["enforcing"] })).outcome, "rejected");
        const accepted = await verdictOf(entries, mode, { allowModes: [mode] });
        assert.deepEqual([accepted.outcome, accepted.conditions.mode], ["accepted", mode]);
      });
    }

    test("what the mode let through is counted from the entries: calls, calls that then failed, and questions", async () => {
      const counts: readonly (readonly [Partial<AuditEntry>, number])[] = [
        [{}, 0],
        [{ policy_decision: "advisory_deny" }, 1],
        [{ policy_decision: "fault", detail: { advisory_decision: "deny" } }, 1],
        [{ detail: { questions_advisory_deny: 3 } }, 3],
        [{ detail: { questions_advisory_deny: -3 } }, 1],
        [{ policy_decision: "advisory_deny", detail: { advisory_decision: "deny", questions_advisory_deny: 2 } }, 3],
      ];
      for (const [call, count] of counts) {
        const own = entriesOf(instance)[1]?.detail;
        const entries = entriesWith({ enforcement_mode: "advisory" }, { ...call, detail: { ...own, ...call.detail } });
        const verdict = await verdictOf(entries, "advisory", { allowModes: ["advisory"] });
        assert.deepEqual([failures(verdict), verdict.conditions.advisoryDenials], [[], count]);
        // An enforcing gateway lets nothing through.
        const enforcing = entriesWith({}, { ...call, detail: { ...own, ...call.detail } });
        assert.deepEqual(
          failures(await verdictOf(enforcing, "enforcing", {})),
          count === 0 ? [] : ["mode of every decision CLAIM_INCONSISTENT"],
        );
      }
    });

    test("the history is what the root entry says, and a complete one can be required", async () => {
      for (const [says, history] of [
        [{ history: "complete" }, "complete"],
        [{ history: "incomplete" }, "incomplete"],
        [{ history: "whole" }, "unknown"],
        [{}, "unknown"],
      ] as const) {
        const entries = entriesWith(says);
        const verdict = await verdictOf(entries, "enforcing", {});
        assert.deepEqual([verdict.outcome, verdict.conditions.history], ["accepted", history]);
        const note = verdict.checks.find(({ name }) => name === "history");
        assert.equal(note?.status, history === "incomplete" ? "not-performed" : undefined);
        assert.deepEqual(
          failures(await verdictOf(entries, "enforcing", { completeHistory: true })),
          history === "complete" ? [] : ["history HISTORY_NOT_COMPLETE"],
        );
      }
    });

    test("isolation and channel are those that are signed", async () => {
      const { conditions } = await verdictOf(entriesOf(instance), "enforcing", {});
      assert.deepEqual([conditions.isolation, conditions.channel], ["network-namespace", "plain"]);
    });
  });
}

test("a bundle that no verified signature covers cannot show its mode, and can show another", async () => {
  const alone = async (mode: Mode): Promise<Verdict> =>
    verifyBundle(
      { bundle: canonicalBytes(instance.bundle(entriesWith({ enforcement_mode: mode }))) },
      { allowSoftwareOnly: true },
      webcrypto,
    );
  assert.deepEqual(failures(await alone("silent")), ["enforcement mode MODE_NOT_ACCEPTED"]);
  const enforcing = await alone("enforcing");
  assert.deepEqual([enforcing.outcome, enforcing.conditions.mode], ["accepted", null]);
  assert.equal(enforcing.checks.find(({ name }) => name === "enforcement mode")?.status, "not-performed");
  const contradiction = entriesWith({ enforcement_mode: "enforcing" }, { policy_decision: "advisory_deny" });
  const verdict = await verifyBundle(
    { bundle: canonicalBytes(instance.bundle(contradiction)) },
    { allowSoftwareOnly: true },
    webcrypto,
  );
  assert.deepEqual(failures(verdict), ["mode of every decision CLAIM_INCONSISTENT"]);
});

test("a claim without its bundle: the mode and the transcript are signed, histories and questions are not known", async () => {
  const entries = entriesOf(instance);
  const verdict = await judge({ claim: claimOf(instance, entries) });
  assert.deepEqual(verdict.conditions, {
    mode: "enforcing",
    isolation: "network-namespace",
    channel: "plain",
    history: "unknown",
    advisoryDenials: null,
  });
  const silent = claimWith(entriesWith({ enforcement_mode: "silent" }), "silent");
  assert.deepEqual(failures(await judge({ claim: silent })), ["enforcement mode MODE_NOT_ACCEPTED"]);
  const letThrough = claimOf(instance, entriesWith({}, { policy_decision: "advisory_deny" }));
  assert.deepEqual(failures(await judge({ claim: letThrough })), ["mode of every decision CLAIM_INCONSISTENT"]);
});

test("an appraisal policy names the modes and the history it accepts", async () => {
  const appraisal = (session: typeof EXPECTED.appraisal.session) => ({ appraisal: { ...preset("strict"), session } });
  const entries = entriesWith({ enforcement_mode: "advisory" });
  const claim = claimWith(entries, "advisory");
  const modes = appraisal({ enforcement_modes: ["advisory"], history: "any" });
  assert.equal((await judge({ claim, bundle: instance.bundle(entries) }, modes)).outcome, "accepted");
  const history = appraisal({ enforcement_modes: ["enforcing"], history: "complete" });
  assert.deepEqual(failures(await judge({ claim: claimOf(instance, entriesOf(instance)) }, history)), [
    "history HISTORY_NOT_COMPLETE",
  ]);
});
