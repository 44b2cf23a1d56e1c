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
import { altered, claimOf, entriesOf, EXPECTED, failures, judge, POLICY_HASH } from "../testing/session.ts";

type Mode = "enforcing" | "advisory" | "silent";

const instance = new Instance();
const trustedKey = instance.jwk.x;
const CLAIMED = { enforcing: "enforce", advisory: "advisory", silent: "silent" } as const;

type Detail = Record<string, string | number>;

/** A session's entries with members of its root entry replaced, and one call as `call` has it. */
function entriesWith(root: Detail, call: Partial<AuditEntry> = {}, closed = true): AuditEntry[] {
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

    test("a session in the clear is accepted only where sealed requests are not required", async () => {
      const plain = entriesWith({});
      assert.equal((await verdictOf(plain, "enforcing", {})).outcome, "accepted");
      const refused = await verdictOf(plain, "enforcing", { requireSealed: true });
      assert.deepEqual([refused.outcome, failures(refused)], ["rejected", ["channel CHANNEL_NOT_ACCEPTED"]]);
    });

    test("a session names the keys that were verified, in its root or with a later report", async () => {
      const [first, second, other] = ["A", "B", "C"].map((letter) => letter.repeat(43)) as [string, string, string];
      const renewed = entriesWith(
        { seal_keys: first },
        { entry_type: "attestation_refresh", call_id: null, policy_decision: "n/a", detail: { seal_keys: second } },
      );
      const later = await verdictOf(renewed, "enforcing", { sealKeys: second });
      assert.deepEqual([failures(later), later.conditions.sealKeys], [[], [first, second]]);
      const entries = entriesWith({ seal_keys: first }, { detail: { policy_hash: POLICY_HASH, seal_keys: other } });
      const accepted = await verdictOf(entries, "enforcing", { sealKeys: first });
      assert.deepEqual([failures(accepted), accepted.conditions.sealKeys], [[], [first]]);
      for (const [said, sealKeys] of [
        [entries, second],
        [entries, other],
        [entriesWith({}), first],
      ] as const) {
        const refused = await verdictOf(said, "enforcing", { sealKeys });
        assert.deepEqual([refused.outcome, failures(refused)], ["rejected", ["seal keys SEAL_KEYS_MISMATCH"]]);
      }
    });

    test("tokens that the host gave are told, and accepted only where signed statements are not required", async () => {
      const statusOf = ({ checks }: Verdict): unknown => checks.find(({ name }) => name === "provisioning")?.status;
      for (const [root, told, required] of [
        [{ provisioning: "unsigned" }, "not-performed", "rejected"],
        [{}, undefined, "rejected"],
        [{ provisioning: "signed" }, undefined, "accepted"],
      ] as const) {
        const verdict = await verdictOf(entriesWith(root), "enforcing", {});
        assert.deepEqual([verdict.outcome, statusOf(verdict)], ["accepted", told]);
        const demanded = await verdictOf(entriesWith(root), "enforcing", { requireSignedProvisioning: true });
        assert.equal(demanded.outcome, required);
        if (required === "rejected") assert.deepEqual(failures(demanded), ["provisioning PROVISIONING_NOT_ACCEPTED"]);
      }
    });

    test("a stored set is told, and one that a key brought back is held to the provisionings that the session names", async () => {
      const [given, back, other] = ["1", "2", "3"].map((digit) => `sha256:${digit.repeat(64)}`) as [
        string,
        string,
        string,
      ];
      const stored = {
        provision_sequence: 1,
        provision_hash: given,
        provisioning: "signed",
        storage: "operator-readable",
      };
      const restored = { ...stored, provision_sequence: 2, provision_hash: back, restored_from: given };
      const told = async (root: Detail, later: Detail | null): Promise<Verdict> => {
        const call = { entry_type: "provision", call_id: null, policy_decision: "n/a", detail: later } as const;
        return await verdictOf(entriesWith(root, later === null ? {} : call), "enforcing", {});
      };
      const saidOf = ({ checks }: Verdict): string[] =>
        checks.flatMap(({ name, status }) => (name.startsWith("stor") ? [`${name} ${status}`] : []));
      const { storage: _, ...unstored } = stored;
      const none = await told(unstored, null);
      assert.deepEqual([none.conditions.storage, saidOf(none)], ["none", []]);
      const once = await told(stored, null);
      assert.deepEqual([once.conditions.storage, saidOf(once)], ["operator-readable", ["storage not-performed"]]);
      const shown = await told(stored, restored);
      assert.deepEqual(shown.conditions.restoredFrom, [given]);
      assert.deepEqual([shown.outcome, saidOf(shown)], ["accepted", ["storage not-performed", "stored set passed"]]);
      const elsewhere = `sha256:${"4".repeat(64)}`;
      for (const [root, later] of [
        [restored, null],
        [restored, { ...restored, provision_sequence: 3, provision_hash: other }],
        [restored, { ...restored, provision_sequence: 9, provision_hash: other, restored_from: elsewhere }],
      ] as const) {
        const hidden = await told(root, later);
        assert.equal(hidden.outcome, "accepted");
        assert.ok(saidOf(hidden).includes("stored set not-performed"), "the one that gave it is not shown");
      }
      const wrong: readonly (readonly [string, Detail, Detail | null])[] = [
        ["of itself", { ...restored, restored_from: back }, null],
        ["of no digest", { ...restored, restored_from: "1" }, null],
        ["of a number", { ...restored, restored_from: 1 }, null],
        ["in no signed statement", { ...restored, provisioning: "unsigned" }, null],
        ["not stored again", { ...unstored, restored_from: other }, null],
        ["of one that stored none", unstored, { ...restored, provision_sequence: 5 }],
        ["of one that nobody signed", { ...stored, provisioning: "unsigned" }, { ...restored, provision_sequence: 5 }],
        ["of another than the one before", stored, { ...restored, restored_from: other }],
        ["after one that stored none", { ...unstored, provision_hash: other }, restored],
        [
          "of another than the restored one before",
          restored,
          { ...restored, provision_sequence: 3, provision_hash: other, restored_from: elsewhere },
        ],
      ];
      for (const [why, root, later] of wrong) {
        const refused = await told(root, later);
        assert.deepEqual([refused.outcome, failures(refused)], ["rejected", ["stored set CLAIM_INCONSISTENT"]], why);
      }
    });

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

test("a bundle that nobody signed says nothing of stored sets, and can contradict itself", async () => {
  const hash = `sha256:${"2".repeat(64)}`;
  const root = { provision_sequence: 2, provision_hash: hash, provisioning: "signed", storage: "operator-readable" };
  const alone = async (restored_from: string): Promise<Verdict> =>
    verifyBundle(
      { bundle: canonicalBytes(instance.bundle(entriesWith({ ...root, restored_from }))) },
      { allowSoftwareOnly: true },
      webcrypto,
    );
  const said = await alone(`sha256:${"1".repeat(64)}`);
  assert.deepEqual([said.outcome, said.conditions.storage], ["accepted", null]);
  assert.ok(!said.checks.some(({ name }) => name.startsWith("stor")));
  assert.deepEqual(failures(await alone(hash)), ["stored set CLAIM_INCONSISTENT"]);
});

test("a claim without its bundle: the mode and the transcript are signed, histories and questions are not known", async () => {
  const entries = entriesOf(instance);
  const verdict = await judge({ claim: claimOf(instance, entries) });
  assert.deepEqual(verdict.conditions, {
    mode: "enforcing",
    isolation: "network-namespace",
    channel: "plain",
    sealKeys: [],
    history: "unknown",
    provisioning: null,
    storage: null,
    restoredFrom: [],
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
