import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { test } from "node:test";
import type * as z from "zod";
import type { Check } from "../checks/check.ts";
import { buildLog, type SampleEvent } from "../event-log/testing/build-log.ts";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import { tdxPolicySchema } from "./policy.ts";
import { corpusFile } from "./testing/corpus.ts";
import { makeQuote, ROOT_KEY_SHA256 } from "./testing/platform.ts";
import { verifyTdx } from "./verify.ts";

const SEPARATOR = 4;
const EVENT = 0x8000_0007;
const RTMR_OFFSETS = [328, 376, 424, 472] as const;

/** Register 1 of a log is RTMR0. */
const separator = (register: number): SampleEvent => ({ register, type: SEPARATOR, data: new Uint8Array(4) });
const BOOT: readonly SampleEvent[] = [
  { register: 1, type: EVENT, data: "configuration" },
  separator(1),
  separator(2),
  { register: 2, type: EVENT, data: "kernel" },
  { register: 3, type: EVENT, data: "command line" },
];

/** What the registers come to, by the definition of an extend and not by this project's replay. */
function registersOf(events: readonly SampleEvent[]): Uint8Array[] {
  const values = RTMR_OFFSETS.map(() => Buffer.alloc(48));
  for (const { register, data } of events) {
    const digest = createHash("sha384").update(data).digest();
    values[register - 1] = createHash("sha384")
      .update(values[register - 1] ?? "")
      .update(digest)
      .digest();
  }
  return values.map((value) => Uint8Array.from(value));
}

/** Verifies a TD that measured some events and presents a log of some. */
async function failures(
  measured: readonly SampleEvent[],
  logged: readonly SampleEvent[],
  banks: Parameters<typeof buildLog>[1] = ["sha384"],
): Promise<Readonly<Record<string, string | undefined>>> {
  const checks = await checksOf(registersOf(measured), buildLog(logged, banks));
  return Object.fromEntries(checks.filter(({ status }) => status === "failed").map(({ name, code }) => [name, code]));
}

async function checksOf(
  registers: readonly Uint8Array[],
  eventLog: Uint8Array,
  options: z.input<typeof tdxPolicySchema>["event_log"] = {},
): Promise<readonly Check[]> {
  const quote = await makeQuote({
    body: Object.fromEntries(RTMR_OFFSETS.map((offset, index) => [offset, registers[index] ?? new Uint8Array()])),
  });
  const policy = tdxPolicySchema.parse({
    trust_anchors: [ROOT_KEY_SHA256],
    rtmr3: Buffer.from(registers[3] ?? "").toString("hex"),
    event_log: options,
  });
  const { checks } = await verifyTdx({ quote, eventLog }, policy, new Date("2026-01-01T00:00:00Z"), webcrypto);
  assert.ok(checks.some(({ name, status }) => name.startsWith("event log") && status !== "not-performed"));
  return checks;
}

const mismatch = { "event log": "EVIDENCE_EVENT_LOG_MISMATCH" };
const application: SampleEvent = { register: 4, type: EVENT, data: "application" };

test("a log that leads to the signed RTMRs passes", async () => {
  assert.deepEqual(await failures(BOOT, BOOT), {});
  assert.deepEqual(await failures(BOOT, BOOT, ["sha256", "sha384"]), {});
  assert.deepEqual(await failures([...BOOT, application], [...BOOT, application]), {});
});

test("an event more, less, elsewhere or in another order is a mismatch", async () => {
  for (let index = 0; index < BOOT.length; index += 1)
    assert.deepEqual(await failures(BOOT, BOOT.toSpliced(index, 1)), mismatch);
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

/** What became of the separators of a log with two in RTMR0 and none in RTMR1, under a policy that names some registers. */
async function separatorsOf(
  registers: readonly Uint8Array[],
  eventLog: Uint8Array,
  separators?: number[],
): Promise<string> {
  const checks = await checksOf(registers, eventLog, separators === undefined ? {} : { separators });
  assert.equal(checks.find(({ name }) => name === "event log")?.status, "passed");
  const found = checks.find(({ name }) => name === "event log separators");
  return `${found?.status} ${found?.code ?? ""} ${found?.why}`;
}

test("separators are asked for in the registers that the policy names", async () => {
  const measured = [separator(1), ...BOOT.filter(({ register, type }) => !(register === 2 && type === SEPARATOR))];
  const of = async (separators?: number[]): Promise<string> =>
    await separatorsOf(registersOf(measured), buildLog(measured, ["sha384"]), separators);
  for (const separators of [undefined, [0, 1]])
    assert.equal(await of(separators), "failed EVIDENCE_EVENT_LOG_MISMATCH separator: RTMR0 repeated, RTMR1 absent");
  assert.equal(await of([0]), "failed EVIDENCE_EVENT_LOG_MISMATCH separator: RTMR0 repeated");
  assert.equal(await of([1]), "failed EVIDENCE_EVENT_LOG_MISMATCH separator: RTMR1 absent");
  assert.equal(await of([]), "not-performed  separator: RTMR0 repeated, RTMR1 absent; the policy does not ask");
});

test("a genuine log of firmware that measures both separators into RTMR0 passes where the policy asks for none", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const eventLog = corpusFile("eventlogs/BAD-dupe-separator.bin");
  // RTMR0 to 2 by the tests of its origin (google/go-eventlog, Apache-2.0), which names the defect as the firmware's.
  const rtmrs = [
    "a4de2df23e9611299123ba4359c42a5e578b0f8488bf1bba8ef5606d9ea5d81c97c064b482a5eac537d166bd0f0f752d",
    "0ee9366c928a77092f55e9e114c7394181fd264699155f0df77d23577618d5f650568a17d379355a07bd846e552f4e20",
    "4969684dc87381fc3b3134176c8d8806eaf0a901859f5f70cfae8d17714b46c10a8de219048c9fc09f11f381a6fbe7c1",
    "00".repeat(48),
  ].map((hex) => Uint8Array.from(Buffer.from(hex, "hex")));
  assert.equal(
    await separatorsOf(rtmrs, eventLog),
    "failed EVIDENCE_EVENT_LOG_MISMATCH separator: RTMR0 repeated, RTMR1 absent",
  );
  assert.equal(
    await separatorsOf(rtmrs, eventLog, []),
    "not-performed  separator: RTMR0 repeated, RTMR1 absent; the policy does not ask",
  );
});

test("a log of registers that do not exist is a mismatch, and a log nobody can read malformed", async () => {
  assert.deepEqual(await failures(BOOT, [...BOOT, { register: 7, type: EVENT, data: "?" }]), mismatch);
  const quote = await makeQuote();
  const { checks } = await verifyTdx(
    { quote, eventLog: Uint8Array.of(1, 2, 3) },
    tdxPolicySchema.parse({ trust_anchors: [ROOT_KEY_SHA256] }),
    new Date("2026-01-01T00:00:00Z"),
    webcrypto,
  );
  assert.deepEqual(
    checks.filter(({ status }) => status === "failed").map(({ name, code }) => [name, code]),
    [["event log format", "EVIDENCE_MALFORMED"]],
  );
});
