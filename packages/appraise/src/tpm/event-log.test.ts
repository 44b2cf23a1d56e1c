import assert from "node:assert/strict";
import { test } from "node:test";
import { buildLog, type SampleEvent } from "../event-log/testing/build-log.ts";
import { LAUNCH_REGISTER } from "./launch-register.ts";
import { STRICT_TPM_POLICY, type TpmPolicy } from "./policy.ts";
import { sampleEvidence } from "./testing/sample-quote.ts";
import { appraise, BOOT, KEY, of, plainValues, valuesOf } from "./testing/quote-appraisal.ts";

test("a log must lead to the quoted registers, and only those the running system extends are left out", async () => {
  const log = buildLog(BOOT);
  const values = await valuesOf(log);
  const outcome = async (
    changed: ReadonlyMap<number, Uint8Array>,
    eventLog: Uint8Array | undefined = log,
    policy: Partial<TpmPolicy> = {},
  ): Promise<string> =>
    of(
      await appraise({ ...sampleEvidence(KEY, changed), ...(eventLog === undefined ? {} : { eventLog }) }, {}, policy),
      "event log",
    );
  assert.equal(await outcome(values), "passed");
  assert.equal(await outcome(new Map([...values, [LAUNCH_REGISTER, new Uint8Array(32).fill(1)]])), "passed");
  // A register that the log does not speak of must hold what a reset leaves there.
  for (const register of [4, 11, 14])
    assert.equal(
      await outcome(new Map([...values, [register, new Uint8Array(32).fill(1)]])),
      "EVIDENCE_EVENT_LOG_MISMATCH",
      `PCR ${register}`,
    );
  const other = await appraise({ ...sampleEvidence(KEY, values), eventLog: buildLog(BOOT.slice(1)) });
  assert.equal(of(other, "event log"), "EVIDENCE_EVENT_LOG_MISMATCH");
  assert.equal(of(other, "event log separators"), "absent", "events of a log that does not replay are not looked at");
  assert.equal(await outcome(values, buildLog(BOOT, ["sha384"])), "EVIDENCE_EVENT_LOG_MISMATCH");
  assert.equal(
    of(await appraise({ ...sampleEvidence(KEY, values), eventLog: Buffer.from("no log") }), "event log format"),
    "EVIDENCE_MALFORMED",
  );
  const noLog = await appraise(sampleEvidence(KEY, values));
  assert.equal(of(noLog, "event log"), "not-performed");
  assert.equal(
    of(await appraise({ ...sampleEvidence(KEY, values), registers: new Map(), eventLog: log }), "event log"),
    "not-performed",
  );
  assert.equal(
    of(await appraise({ ...sampleEvidence(KEY, plainValues([0])), eventLog: log }), "event log"),
    "not-performed",
  );
});

test("a log that replays is rejected for a repeated separator, and where the policy asks for an unfinished or insecure boot", async () => {
  const outcome = async (
    name: string,
    boot: readonly SampleEvent[],
    policy: Partial<TpmPolicy["event_log"]> = {},
  ): Promise<string> => {
    const eventLog = buildLog(boot);
    const checks = await appraise(
      { ...sampleEvidence(KEY, await valuesOf(eventLog)), eventLog },
      {},
      { event_log: { ...STRICT_TPM_POLICY.event_log, ...policy } },
    );
    assert.equal(of(checks, "event log"), "passed");
    return of(checks, name);
  };
  assert.equal(await outcome("event log separators", BOOT), "passed");
  const repeated = [...BOOT, { register: 7, type: 1, data: new Uint8Array(4) }];
  assert.equal(await outcome("event log separators", repeated), "EVIDENCE_EVENT_LOG_MISMATCH");
  assert.equal(await outcome("event log separators", repeated, { separators: [0, 1] }), "passed");
  assert.equal(await outcome("event log separators", BOOT.slice(2)), "EVIDENCE_EVENT_LOG_MISMATCH");
  assert.equal(await outcome("boot services", BOOT), "passed");
  assert.equal(await outcome("boot services", BOOT.slice(0, -1)), "EVIDENCE_EVENT_LOG_MISMATCH");
  assert.equal(await outcome("boot services", BOOT.slice(0, -1), { exit_boot_services: false }), "not-performed");
  assert.equal(await outcome("secure boot", BOOT), "not-performed");
  assert.equal(await outcome("secure boot", BOOT, { secure_boot: "required" }), "EVIDENCE_POLICY_VIOLATION");
});
