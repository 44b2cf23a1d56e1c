import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQeIdentity } from "./qe-identity.ts";
import { parseTcbInfo } from "./tcb-info.ts";
import { level, moduleIdentity, moduleLevel, qeIdentity, tcbInfo } from "./testing/platform.ts";

const utf8 = (document: object): Uint8Array => Buffer.from(JSON.stringify(document));
const info = (other: object): unknown => parseTcbInfo(utf8(tcbInfo(other)));
const identity = (other: object): unknown => parseQeIdentity(utf8(qeIdentity(other)));
const many = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);
const WHEN = "2025-01-01T00:00:00Z";
const inModule = (isvsvn: number, advisories: readonly string[] = []): object => ({
  tdxModuleIdentities: [moduleIdentity("TDX_01", [moduleLevel(isvsvn, "UpToDate", WHEN, advisories)])],
});
const inLevel = (svns: readonly [number, number, readonly number[]], advisories: readonly string[] = []): object => ({
  tcbLevels: [level(svns, "UpToDate", WHEN, advisories)],
});
const inEnclave = (isvsvn: number, advisories: readonly string[] = []): object => ({
  tcbLevels: [moduleLevel(isvsvn, "UpToDate", WHEN, advisories)],
});

const inModules = (tdxModuleIdentities: readonly object[]): unknown => info({ tdxModuleIdentities });

const REFUSED = { code: "EVIDENCE_COLLATERAL_INVALID" };
type Read = (value: number) => unknown;

/** Each number of Intel's documents: the most it can be, and how a document with it is read. */
const NUMBERS: readonly (readonly [what: string, most: number, read: Read])[] = [
  ["number of the TCB info", Number.MAX_SAFE_INTEGER, (value) => info({ tcbEvaluationDataNumber: value })],
  ["SGX component", 0xff, (value) => info(inLevel([value, 1, [1]]))],
  ["TDX component", 0xff, (value) => info(inLevel([1, 1, [value]]))],
  ["PCESVN", 0xffff, (value) => info(inLevel([1, value, [1]]))],
  ["version of the module", 0xff, (value) => info(inModule(value))],
  ["number of the identity", Number.MAX_SAFE_INTEGER, (value) => identity({ tcbEvaluationDataNumber: value })],
  ["product of the enclave", 0xffff, (value) => identity({ isvprodid: value })],
  ["version of the enclave", 0xffff, (value) => identity(inEnclave(value))],
];

for (const [what, most, read] of NUMBERS)
  test(`${what}: ${most} at most, and no less than zero`, () => {
    for (const value of [0, most]) assert.doesNotThrow(() => read(value));
    for (const value of [-1, most + 1, 0.5]) assert.throws(() => read(value), REFUSED, `${value}`);
  });

/** Each list and text: the most of it, and how a document with so many is read. */
const COUNTS: readonly (readonly [what: string, most: number, read: Read])[] = [
  ["advisories of a level", 256, (count) => info(inLevel([1, 1, [1]], many(count, "A")))],
  ["characters of its advisory", 64, (count) => info(inLevel([1, 1, [1]], ["A".repeat(count)]))],
  ["modules", 256, (count) => inModules(many(count, moduleIdentity("M", [moduleLevel(1, "UpToDate")])))],
  [
    "characters of its name",
    16,
    (count) => inModules([moduleIdentity("M".repeat(count), [moduleLevel(1, "UpToDate")])]),
  ],
  ["levels of a module", 256, (count) => inModules([moduleIdentity("M", many(count, moduleLevel(1, "UpToDate")))])],
  ["advisories of a module", 256, (count) => info(inModule(1, many(count, "A")))],
  ["characters of a module's advisory", 64, (count) => info(inModule(1, ["A".repeat(count)]))],
  ["levels of the enclave", 256, (count) => identity({ tcbLevels: many(count, moduleLevel(1, "UpToDate")) })],
  ["advisories of the enclave", 256, (count) => identity(inEnclave(1, many(count, "A")))],
  ["characters of the enclave's advisory", 64, (count) => identity(inEnclave(1, ["A".repeat(count)]))],
];

for (const [what, most, read] of COUNTS)
  test(`${what}: ${most} at most`, () => {
    assert.doesNotThrow(() => read(most));
    assert.throws(() => read(most + 1), REFUSED);
  });

test("everything that has levels has one", () => {
  assert.doesNotThrow(() => inModules([]));
  for (const read of [
    (levels: readonly object[]) => info({ tcbLevels: levels.map(() => level([1, 1, [1]], "UpToDate")) }),
    (levels: readonly object[]) => inModules([moduleIdentity("M", levels)]),
    (levels: readonly object[]) => identity({ tcbLevels: levels }),
  ]) {
    assert.doesNotThrow(() => read([moduleLevel(1, "UpToDate")]));
    assert.throws(() => read([]), REFUSED);
  }
});

test("bytes in hex have the length that is theirs", () => {
  const sound = { mrsigner: "0".repeat(96), attributes: "0".repeat(16), attributesMask: "0".repeat(16) };
  const inEnclaves = { miscselect: 8, miscselectMask: 8, attributes: 32, attributesMask: 32, mrsigner: 64 };
  for (const [read, lengths] of [
    [identity, inEnclaves],
    [
      (other: object) => info({ tdxModule: { ...sound, ...other } }),
      { mrsigner: 96, attributes: 16, attributesMask: 16 },
    ],
  ] as const)
    for (const [name, length] of Object.entries(lengths)) {
      assert.doesNotThrow(() => read({ [name]: "0".repeat(length) }));
      for (const other of [length - 2, length + 2])
        assert.throws(() => read({ [name]: "0".repeat(other) }), REFUSED, name);
    }
});
