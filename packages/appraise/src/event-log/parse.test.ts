import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import * as fc from "fast-check";
import { NO_SHARED_FOLDER, sharedFile } from "../testing/shared.ts";
import { NO_REGISTER, parseEventLog } from "./parse.ts";
import { agileEvent, buildLog, SEPARATORS, specIdHeader } from "./testing/build-log.ts";
import { GENUINE_LOGS, genuineLog } from "./testing/genuine.ts";

const MALFORMED = (message: RegExp) => ({ code: "EVIDENCE_MALFORMED", message });
const EVENT = { register: 1, type: 0xa, data: "ACPI DATA" };

test("every genuine log is read to its last event", (t) => {
  for (const genuine of GENUINE_LOGS) {
    const bytes = genuineLog(genuine);
    if (bytes === null) return t.skip(NO_SHARED_FOLDER);
    const log = parseEventLog(bytes);
    assert.equal(log.events.length, genuine.events, genuine.path);
    assert.ok(log.algorithms.some(({ name }) => name === "sha256"));
  }
});

test("a log without a header is read as SHA-1 events", (t) => {
  const bytes = genuineLog({ path: "debian-10.bin" });
  if (bytes === null) return t.skip(NO_SHARED_FOLDER);
  const log = parseEventLog(bytes);
  assert.deepEqual(
    log.algorithms.map(({ name }) => name),
    ["sha1"],
  );
  assert.equal(log.events.length, 25);
  assert.equal(log.events[0]?.digests.get(4)?.length, 20);
});

test("a confidential VM's log is read up to the unused memory after it", (t) => {
  const bytes = sharedFile("evidence/intel/eventlogs/gcp-cos113-ccel.bin");
  if (bytes === null) return t.skip(NO_SHARED_FOLDER);
  assert.equal(parseEventLog(bytes).events.length, 43);
  bytes[bytes.length - 1] = 0;
  assert.throws(() => parseEventLog(bytes), MALFORMED(/register 4294967295 does not exist/));
});

test("zeros or ones after the last event are unused memory, whatever their number", () => {
  const log = buildLog([EVENT]);
  for (const filler of [0, 0xff]) {
    for (const length of [1, 7, 8, 64])
      assert.equal(parseEventLog(Buffer.concat([log, Buffer.alloc(length, filler)])).events.length, 1);
  }
  assert.throws(() => parseEventLog(Buffer.concat([log, Buffer.alloc(64, 0xee)])), MALFORMED(/register/));
});

test("nothing at all is no log", () => {
  assert.throws(() => parseEventLog(new Uint8Array()), MALFORMED(/truncated/));
  assert.throws(() => parseEventLog(new Uint8Array(64)), MALFORMED(/nothing was logged/));
  assert.throws(
    () => parseEventLog(Buffer.concat([Buffer.from("CCEL"), Buffer.alloc(52, 1)])),
    MALFORMED(/ACPI table/),
  );
});

test("a log over a limit is refused", () => {
  assert.throws(() => parseEventLog(new Uint8Array(1_048_577).fill(1)), MALFORMED(/more than 1048576/));
  const many = Buffer.concat([
    specIdHeader([[0xb, 32]]),
    ...Array.from({ length: 4_097 }, () => agileEvent(EVENT, ["sha256"])),
  ]);
  assert.throws(() => parseEventLog(many), MALFORMED(/more than 4096 events/));
  const last = agileEvent(EVENT, ["sha256"]).length;
  assert.equal(parseEventLog(many.subarray(0, -last)).events.length, 4_096);
  const room = buildLog([EVENT]);
  assert.equal(parseEventLog(Buffer.concat([room, Buffer.alloc(1_048_576 - room.length)])).events.length, 1);
  assert.equal(parseEventLog(buildLog([{ ...EVENT, data: new Uint8Array(131_072) }])).events.length, 1);
  assert.throws(
    () => parseEventLog(buildLog([{ ...EVENT, data: new Uint8Array(131_073) }])),
    MALFORMED(/an event of 131073 bytes/),
  );
});

test("an event must name a register that exists, and each algorithm once", () => {
  assert.equal(parseEventLog(buildLog([{ ...EVENT, register: 23 }])).events[0]?.register, 23);
  const eight = Array.from({ length: 8 }, (_, index) => [0x100 + index, 64] as const);
  assert.equal(parseEventLog(specIdHeader(eight)).algorithms.length, 8);
  assert.throws(() => parseEventLog(buildLog([{ ...EVENT, register: 24 }])), MALFORMED(/register 24 does not exist/));
  assert.throws(
    () => parseEventLog(Buffer.concat([specIdHeader([[0xb, 32]]), agileEvent(EVENT, ["sha256", "sha256"])])),
    MALFORMED(/two sha256 digests/),
  );
  assert.throws(
    () => parseEventLog(Buffer.concat([specIdHeader([[0xb, 32]]), agileEvent(EVENT, ["sha384"])])),
    MALFORMED(/the header does not name/),
  );
  const crowded = agileEvent(EVENT, []);
  crowded.writeUInt32LE(9, 8);
  assert.throws(() => parseEventLog(Buffer.concat([specIdHeader([[0xb, 32]]), crowded])), MALFORMED(/has 9 digests/));
});

test("only an event that extends nothing may name no register", () => {
  const event = { register: NO_REGISTER, data: "trust point" };
  const log = parseEventLog(buildLog([{ ...event, type: 3 }, EVENT]));
  assert.deepEqual(
    log.events.map(({ register }) => register),
    [NO_REGISTER, EVENT.register],
  );
  assert.throws(
    () => parseEventLog(buildLog([{ ...event, type: 4 }])),
    MALFORMED(/register 4294967295 does not exist/),
  );
});

test("a header must be of version 2 and give each algorithm its size, once", () => {
  const later = specIdHeader([[0xb, 32]]);
  later[32 + 21] = 3;
  assert.throws(() => parseEventLog(later), MALFORMED(/not of version 2/));
  assert.throws(() => parseEventLog(specIdHeader([])), MALFORMED(/names 0 algorithms/));
  assert.throws(
    () => parseEventLog(specIdHeader(Array.from({ length: 9 }, (_, index) => [0x100 + index, 8] as const))),
    MALFORMED(/names 9 algorithms/),
  );
  assert.throws(() => parseEventLog(specIdHeader([[0xb, 20]])), MALFORMED(/sha256 a size of 20/));
  assert.throws(
    () =>
      parseEventLog(
        specIdHeader([
          [0xb, 32],
          [0xb, 32],
        ]),
      ),
    MALFORMED(/an algorithm twice/),
  );
  assert.throws(() => parseEventLog(specIdHeader([[0x999, 65]])), MALFORMED(/a digest of 65 bytes/));
  assert.throws(() => parseEventLog(specIdHeader([[0x999, 0]])), MALFORMED(/a digest of 0 bytes/));
  assert.equal(parseEventLog(specIdHeader([[0x999, 16]])).algorithms[0]?.name, "0x0999");
  const trailing = specIdHeader([[0xb, 32]]);
  trailing[trailing.length - 1] = 1;
  assert.throws(() => parseEventLog(trailing), MALFORMED(/header is truncated/));
});

test("random bytes and mutated logs are parsed or refused, never anything else", () => {
  const log = buildLog([...SEPARATORS, EVENT], ["sha256", "sha384"]);
  const settled = (bytes: Uint8Array): void => {
    try {
      assert.ok(parseEventLog(bytes).events.length <= 4_096);
    } catch (thrown) {
      assert.ok(thrown instanceof CmcpError && thrown.code === "EVIDENCE_MALFORMED", String(thrown));
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 256 }), settled));
  fc.assert(
    fc.property(fc.nat(log.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(log.length), (at, byte, length) => {
      const mutated = Uint8Array.from(log);
      mutated[at] = byte;
      settled(mutated.subarray(0, length));
      settled(mutated);
    }),
  );
});
