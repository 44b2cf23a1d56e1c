import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import { NO_SHARED_FOLDER, sharedFile } from "../testing/shared.ts";
import { parseEventLog } from "./parse.ts";
import { replay, startupLocality } from "./replay.ts";
import { buildLog, SEPARATORS, type SampleEvent } from "./testing/build-log.ts";
import { GENUINE_LOGS, genuineLog } from "./testing/genuine.ts";

const sha256 = (...parts: readonly Uint8Array[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest();
const NO_ACTION = 3;
const locality = (value: number): SampleEvent => ({
  register: 0,
  type: NO_ACTION,
  data: Buffer.concat([Buffer.from("StartupLocality\0"), Buffer.of(value)]),
});

test("every genuine log replays to the registers its machine had", async (t) => {
  for (const genuine of GENUINE_LOGS) {
    const bytes = genuineLog(genuine);
    if (bytes === null) return t.skip(NO_SHARED_FOLDER);
    const registers = await replay(webcrypto, parseEventLog(bytes), "sha256", "pcr");
    const values = genuine.pcrs.map((register) => registers.get(register)?.value ?? new Uint8Array());
    assert.equal(toHex(sha256(...values)), genuine.digest, genuine.path);
  }
});

test("a confidential VM's log replays to the RTMRs of its quote", async (t) => {
  const index = sharedFile("evidence/intel/INDEX.json");
  const bytes = sharedFile("evidence/intel/eventlogs/gcp-cos113-ccel.bin");
  if (index === null || bytes === null) return t.skip(NO_SHARED_FOLDER);
  const registers = await replay(webcrypto, parseEventLog(bytes), "sha384", "cc");
  assert.deepEqual([...registers.keys()], [1, 2, 3, 4]);
  const quotes = JSON.parse(new TextDecoder().decode(index)) as { fields: Record<string, unknown> }[];
  const rtmr = (number: number): string => toHex(registers.get(number + 1)?.value ?? new Uint8Array());
  assert.ok(quotes.some(({ fields }) => [0, 1, 2, 3].every((number) => fields[`rtmr${number}`] === rtmr(number))));
});

test("one changed digest changes its register and no other", async () => {
  const log = buildLog(SEPARATORS);
  const before = await replay(webcrypto, parseEventLog(log), "sha256", "pcr");
  await fc.assert(
    fc.asyncProperty(fc.nat(7), fc.nat(255), async (register, bit) => {
      const changed = Uint8Array.from(log);
      const event = log.length - (8 - register) * ((log.length - 65) / 8);
      const at = event + 14 + (bit >> 3);
      changed[at] = (changed[at] ?? 0) ^ (1 << (bit & 7));
      const after = await replay(webcrypto, parseEventLog(changed), "sha256", "pcr");
      const moved = [...after].filter(
        ([number, { value }]) => toHex(value) !== toHex(before.get(number)?.value ?? new Uint8Array()),
      );
      assert.deepEqual(
        moved.map(([number]) => number),
        [register],
      );
    }),
    { numRuns: 60 },
  );
});

test("EV_NO_ACTION extends nothing", async () => {
  const log = parseEventLog(buildLog([{ register: 3, type: NO_ACTION, data: "SP800-155 Event" }]));
  assert.deepEqual((await replay(webcrypto, log, "sha256", "pcr")).get(3), { value: new Uint8Array(32), extended: 0 });
});

test("PCR 0 starts from the locality of the startup, the dynamic PCRs from all ones", async () => {
  const event = { register: 0, type: 8, data: "version" };
  const registers = await replay(webcrypto, parseEventLog(buildLog([locality(3), event])), "sha256", "pcr");
  assert.deepEqual(registers.get(0), {
    value: new Uint8Array(sha256(Buffer.concat([Buffer.alloc(31), Buffer.of(3)]), sha256(Buffer.from("version")))),
    extended: 1,
  });
  for (const register of [17, 22]) assert.deepEqual(registers.get(register)?.value, new Uint8Array(32).fill(0xff));
  for (const register of [1, 16, 23]) assert.deepEqual(registers.get(register)?.value, new Uint8Array(32));
});

test("a startup locality that contradicts itself is refused", () => {
  assert.equal(startupLocality(parseEventLog(buildLog(SEPARATORS))), 0);
  for (const value of [0, 3, 4]) assert.equal(startupLocality(parseEventLog(buildLog([locality(value)]))), value);
  for (const events of [[locality(3), locality(3)], [locality(2)], [SEPARATORS[0] ?? locality(1), locality(3)]]) {
    assert.throws(() => startupLocality(parseEventLog(buildLog(events))), {
      code: "EVIDENCE_MALFORMED",
      message: /localit/,
    });
  }
});

test("a log without digests of the bank, or for a register that nothing can extend, does not replay", async (t) => {
  await assert.rejects(replay(webcrypto, parseEventLog(buildLog(SEPARATORS)), "sha384", "pcr"), {
    code: "EVIDENCE_EVENT_LOG_MISMATCH",
  });
  const launch = { register: 0, type: 8, data: "x" };
  await assert.rejects(replay(webcrypto, parseEventLog(buildLog([launch])), "sha256", "cc"), {
    code: "EVIDENCE_EVENT_LOG_MISMATCH",
  });
  await assert.rejects(replay(webcrypto, parseEventLog(buildLog([{ ...launch, register: 5 }])), "sha256", "cc"), {
    code: "EVIDENCE_EVENT_LOG_MISMATCH",
  });
  const sha1 = genuineLog({ path: "debian-10.bin" });
  if (sha1 === null) return t.skip(NO_SHARED_FOLDER);
  await assert.rejects(replay(webcrypto, parseEventLog(sha1), "sha256", "pcr"), {
    code: "EVIDENCE_EVENT_LOG_MISMATCH",
  });
});
