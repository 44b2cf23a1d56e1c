import assert from "node:assert/strict";
import { test } from "node:test";
import { tdxPolicySchema } from "./policy.ts";
import { level, tcbInfo, type QuoteOptions } from "./testing/platform.ts";
import { fails, find, OUTDATED, type Case } from "./testing/verification.ts";

const rejected = { "TCB status": "EVIDENCE_TCB_NOT_ACCEPTED" };

test("a status is accepted when the policy lists it, within its grace", async () => {
  const { verified, checks } = await fails({ collateral: OUTDATED }, rejected);
  assert.deepEqual([verified?.tcb?.status, verified?.tcb?.advisoryIds], ["OutOfDate", ["INTEL-SA-00009"]]);
  assert.match(find(checks, "TCB status").why, /OutOfDate \(INTEL-SA-00009\).*platform OutOfDate of 2025-10-01/);
  const accepting = (grace_days?: number): Case => ({
    collateral: OUTDATED,
    policy: {
      tcb: {
        accepted_statuses: [
          { status: "UpToDate" },
          { status: "OutOfDate", ...(grace_days === undefined ? {} : { grace_days }) },
        ],
      },
    },
  });
  await fails(accepting(), {});
  // 92 days lie between the level's date and the time of verification.
  await fails(accepting(92), {});
  await fails(accepting(91), rejected);
  await fails({ policy: { tcb: { accepted_statuses: [{ status: "OutOfDate" }] } } }, rejected);
});

test("a platform below every level is rejected, and Revoked is accepted by nobody", async () => {
  const below = await fails(
    { collateral: { info: tcbInfo({ tcbLevels: [level([9, 11, [6, 0, 5]], "UpToDate")] }) } },
    rejected,
  );
  assert.equal(below.verified?.tcb, null);
  await fails(
    { collateral: { info: tcbInfo({ tcbLevels: [level([5, 11, [6, 0, 5]], "Revoked")] }) } },
    { "TCB status": "EVIDENCE_REVOKED" },
  );
  assert.throws(() => tdxPolicySchema.parse({ tcb: { accepted_statuses: [{ status: "Revoked" }] } }));
});

test("relaunch is advised for a TDX 1.5 TD started under an old module", async () => {
  const quote: QuoteOptions = {
    version: 5,
    bodyType: 3,
    body: { 0: Uint8Array.of(4, 1, 5), 584: Uint8Array.of(6, 1, 5) },
  };
  const { verified } = await fails({ quote }, rejected);
  assert.equal(verified?.tcb?.status, "RelaunchAdvised");
  await fails({ quote, policy: { tcb: { accepted_statuses: [{ status: "RelaunchAdvised" }] } } }, {});
  const unknown = await fails(
    { quote: { ...quote, body: { 0: Uint8Array.of(4, 1, 5), 584: Uint8Array.of(6, 9, 5) } } },
    rejected,
  );
  assert.equal(unknown.verified?.tcb, null);
});
