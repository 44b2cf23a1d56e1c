import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { test } from "node:test";
import { buildLog, type SampleEvent } from "../event-log/testing/build-log.ts";
import { tdxPolicySchema } from "./policy.ts";
import { makeQuote, ROOT_KEY_SHA256 } from "./testing/platform.ts";
import { verifyTdx } from "./verify.ts";

const SEPARATOR = 4;
const EVENT = 0x8000_0007;
const RTMR_OFFSETS = [328, 376, 424, 472] as const;

/** Register 1 of a log is RTMR0. */
const separator = (register: number): SampleEvent => ({ register, type: SEPARATOR, data: new Uint8Array(4) });
const BOOT: readonly SampleEvent[] = [{ register: 1, type: EVENT, data: "configuration" }, separator(1), separator(2), { register: 2, type: EVENT, data: "kernel" }, { register: 3, type: EVENT, data: "command line" }];

/** What the registers come to, by the definition of an extend and not by this project's replay. */
function registersOf(events: readonly SampleEvent[]): Uint8Array[] {
  const values = RTMR_OFFSETS.map(() => Buffer.alloc(48));
  for (const { register, data } of events) {
    const digest = createHash("sha384").update(data).digest();
    values[register - 1] = createHash("sha384").update(values[register - 1] ?? "").update(digest).digest();
  }
  return values.map((value) => Uint8Array.from(value));
}

/** Verifies a TD that measured some events and presents a log of some. */
async function failures(measured: readonly SampleEvent[], logged: readonly SampleEvent[], banks: Parameters<typeof buildLog>[1] = ["sha384"]): Promise<Readonly<Record<string, string | undefined>>> {
  const registers = registersOf(measured);
  const quote = await makeQuote({ body: Object.fromEntries(RTMR_OFFSETS.map((offset, index) => [offset, registers[index] ?? new Uint8Array()])) });
  const policy = tdxPolicySchema.parse({ trust_anchors: [ROOT_KEY_SHA256], rtmr3: Buffer.from(registers[3] ?? "").toString("hex") });
  const { checks } = await verifyTdx({ quote, eventLog: buildLog(logged, banks) }, policy, new Date("2026-01-01T00:00:00Z"), webcrypto);
  assert.ok(checks.some(({ name, status }) => name.startsWith("event log") && status !== "not-performed"));
  return Object.fromEntries(checks.filter(({ status }) => status === "failed").map(({ name, code }) => [name, code]));
}

const mismatch = { "event log": "EVIDENCE_EVENT_LOG_MISMATCH" };
const application: SampleEvent = { register: 4, type: EVENT, data: "application" };

test("a log that leads to the signed RTMRs passes", async () => {
  assert.deepEqual(await failures(BOOT, BOOT), {});
  assert.deepEqual(await failures(BOOT, BOOT, ["sha256", "sha384"]), {});
  assert.deepEqual(await failures([...BOOT, application], [...BOOT, application]), {});
});

test("an event more, less, elsewhere or in another order is a mismatch", async () => {
  for (let index = 0; index < BOOT.length; index += 1) assert.deepEqual(await failures(BOOT, BOOT.toSpliced(index, 1)), mismatch);
  assert.deepEqual(await failures(BOOT, [...BOOT, { register: 3, type: EVENT, data: "more" }]), mismatch);
  assert.deepEqual(await failures(BOOT, [separator(1), ...BOOT.toSpliced(1, 1)]), mismatch);
  assert.deepEqual(await failures(BOOT, BOOT, ["sha256"]), mismatch);
});

test("RTMR3 is compared when the log says anything of it, and may have a log of its own", async () => {
  assert.deepEqual(await failures([...BOOT, application], BOOT), {});
  assert.deepEqual(await failures(BOOT, [...BOOT, application]), mismatch);
  assert.deepEqual(await failures([...BOOT, application], [...BOOT, { ...application, data: "another" }]), mismatch);
});

test("a log that leads there with no separator, or two, fails", async () => {
  const wrong = { "event log separators": "EVIDENCE_EVENT_LOG_MISMATCH" };
  const without = BOOT.filter(({ register, type }) => !(register === 2 && type === SEPARATOR));
  assert.deepEqual(await failures(without, without), wrong);
  const twice = [...BOOT, separator(1)];
  assert.deepEqual(await failures(twice, twice), wrong);
});

test("a log of registers that do not exist is a mismatch, and a log nobody can read malformed", async () => {
  assert.deepEqual(await failures(BOOT, [...BOOT, { register: 7, type: EVENT, data: "?" }]), mismatch);
  const quote = await makeQuote();
  const { checks } = await verifyTdx({ quote, eventLog: Uint8Array.of(1, 2, 3) }, tdxPolicySchema.parse({ trust_anchors: [ROOT_KEY_SHA256] }), new Date("2026-01-01T00:00:00Z"), webcrypto);
  assert.deepEqual(checks.filter(({ status }) => status === "failed").map(({ name, code }) => [name, code]), [["event log format", "EVIDENCE_MALFORMED"]]);
});
