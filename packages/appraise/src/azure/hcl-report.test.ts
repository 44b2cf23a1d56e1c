import assert from "node:assert/strict";
import { test } from "node:test";
import { looksLikeHclReport, parseHclReport } from "./hcl-report.ts";

interface Fields {
  readonly version?: number;
  readonly request?: number;
  readonly type?: number;
  readonly hash?: number;
  readonly runtimeData?: Uint8Array;
  /** Zeros behind the runtime data. */
  readonly room?: number;
}

/** An HCL report laid out by its documentation, with a hardware report of the bytes 0xab. */
function hclReport({
  version = 2,
  request = 1,
  type = 2,
  hash = 1,
  runtimeData = Buffer.from("{}"),
  room = 0,
}: Fields = {}) {
  const fixed = request === 2 ? 24 : 20;
  const bytes = Buffer.alloc(32 + 1184 + fixed + runtimeData.length + room);
  bytes.write("HCLA");
  bytes.writeUInt32LE(version, 4);
  bytes.writeUInt32LE(32 + 1184 + fixed + runtimeData.length, 8);
  bytes.fill(0xab, 32, 32 + 1184);
  for (const [index, value] of [fixed + runtimeData.length, request, type, hash, runtimeData.length].entries())
    bytes.writeUInt32LE(value, 1216 + 4 * index);
  bytes.set(runtimeData, 1216 + fixed);
  return new Uint8Array(bytes);
}

const refused = (bytes: Uint8Array, message: RegExp): void =>
  assert.throws(() => parseHclReport(bytes), { code: "EVIDENCE_MALFORMED", message });

test("a report of either version is hardware report, runtime data and the hash that binds it", () => {
  for (const version of [1, 2])
    for (const request of [1, 2])
      for (const [type, kind, length] of [
        [2, "sev-snp", 1184],
        [4, "tdx", 1024],
      ] as const)
        for (const [hash, runtimeHash] of [
          [1, "SHA-256"],
          [2, "SHA-384"],
          [3, "SHA-512"],
        ] as const)
          assert.deepEqual(parseHclReport(hclReport({ version, request, type, hash, room: 5 })), {
            kind,
            hardwareReport: new Uint8Array(length).fill(0xab),
            runtimeHash,
            runtimeData: new Uint8Array(Buffer.from("{}")),
          });
});

test("other versions, types and hashes are unknown", () => {
  for (const version of [0, 3]) refused(hclReport({ version }), new RegExp(`: version ${version} is unknown`));
  for (const request of [0, 3]) refused(hclReport({ request }), /request data of version/);
  for (const type of [0, 1, 3, 5]) refused(hclReport({ type }), /hardware report of type/);
  for (const hash of [0, 4]) refused(hclReport({ hash }), /unknown hash/);
});

test("lengths agree, what follows is zero, and 16 KiB are the most", () => {
  const sound = hclReport({ room: 8 });
  for (const at of [8, 1216, 1232]) {
    refused(sound.with(at, (sound[at] ?? 0) + 1), /contradict/);
    refused(sound.with(at, (sound[at] ?? 0) - 1), /contradict/);
  }
  refused(sound.with(sound.length - 1, 1), /more than the lengths say/);
  refused(sound.subarray(0, 1200), /truncated/);
  const room = 16_384 - hclReport().length;
  assert.equal(parseHclReport(hclReport({ room })).kind, "sev-snp");
  refused(hclReport({ room: room + 1 }), /16385 bytes, more than 16384/);
});

test("a report begins with its signature", () => {
  const sound = hclReport();
  assert.ok(looksLikeHclReport(sound));
  for (const at of [0, 1, 2, 3]) {
    assert.ok(!looksLikeHclReport(sound.with(at, 0)));
    refused(sound.with(at, 0), /HCLA is missing/);
  }
  assert.ok(!looksLikeHclReport(sound.subarray(0, 3)));
});
