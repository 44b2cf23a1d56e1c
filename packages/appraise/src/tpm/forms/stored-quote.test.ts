import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import * as fc from "fast-check";
import { azureFile } from "../../azure/testing/genuine.ts";
import { NO_SHARED_FOLDER, sharedFolder } from "../../testing/shared.ts";
import { readStoredQuote } from "./stored-quote.ts";

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);
const long = (value: number | bigint): Buffer => {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
};
const SIGNATURE = bytes(256, 1);
const QUOTE = bytes(150, 2);
const REGISTERS = Array.from({ length: 24 }, (_, index) => bytes(32, index));
const WHOLE = Buffer.concat([long(256), SIGNATURE, long(150), QUOTE, long(24), ...REGISTERS]);
const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const hex = (value: Uint8Array): string => Buffer.from(value).toString("hex");

test("one quote is read from each of its forms", () => {
  const forms = [
    WHOLE,
    json({ signature: hex(SIGNATURE), message: hex(QUOTE), pcrs: REGISTERS.map(hex) }),
    json({ message: [...QUOTE], signature: [...SIGNATURE], pcrs: REGISTERS.map((value) => [...value]) }),
  ];
  for (const form of forms)
    assert.deepEqual(readStoredQuote(Uint8Array.from(form)), {
      quote: QUOTE,
      signature: SIGNATURE,
      registers: new Map([[0x0b, new Map(REGISTERS.map((value, index) => [index, value]))]]),
    });
});

test("the genuine ones are the same in bytes and in JSON", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  for (const folder of ["trustee-az-snp-vtpm", "trustee-az-tdx-vtpm"]) {
    const stored = readStoredQuote(azureFile(`${folder}/tpm-quote-v1.json`));
    assert.equal(stored?.registers.get(0x0b)?.size, 24, folder);
    assert.equal(readStoredQuote(azureFile(`${folder}/quote.bin`))?.signature.length, 256, folder);
  }
});

test("another form is no stored quote, and one that contradicts itself is malformed", () => {
  for (const other of [
    new Uint8Array(),
    bytes(8, 0),
    QUOTE,
    json({}),
    json({ message: "00", signature: "00" }),
    json([1]),
    new TextEncoder().encode("{"),
  ])
    assert.equal(readStoredQuote(other), null);
  const malformed = { code: "EVIDENCE_MALFORMED" };
  for (const broken of [
    WHOLE.subarray(0, -1),
    long(256),
    Buffer.concat([WHOLE, Buffer.of(0)]),
    ...[2n ** 32n + 150n, 2n ** 53n, 2n ** 64n - 1n].map((huge) =>
      Buffer.concat([long(256), SIGNATURE, long(huge), QUOTE, long(24), ...REGISTERS]),
    ),
    ...[2n ** 32n + 24n, 2n ** 64n - 1n].map((huge) =>
      Buffer.concat([long(256), SIGNATURE, long(150), QUOTE, long(huge), ...REGISTERS]),
    ),
    Buffer.concat([long(256), SIGNATURE, long(150), QUOTE, long(25), ...REGISTERS, bytes(32, 0)]),
  ]) {
    assert.throws(() => readStoredQuote(Uint8Array.from(broken)), malformed);
  }
  assert.throws(
    () => readStoredQuote(json({ signature: hex(SIGNATURE), message: hex(QUOTE), pcrs: ["00"] })),
    malformed,
  );
});

test("whatever is sent, it is read, another form, or malformed", () => {
  const mutated = fc
    .tuple(fc.nat(WHOLE.length - 1), fc.nat(255))
    .map(([at, value]) => Uint8Array.from(WHOLE).with(at, value));
  fc.assert(
    fc.property(
      fc.oneof(
        mutated,
        fc.uint8Array({ maxLength: 300 }),
        fc.json().map((text) => new TextEncoder().encode(text)),
      ),
      (file) => {
        try {
          readStoredQuote(file);
        } catch (thrown) {
          assert.ok(thrown instanceof CmcpError && thrown.code === "EVIDENCE_MALFORMED");
        }
      },
    ),
  );
});
