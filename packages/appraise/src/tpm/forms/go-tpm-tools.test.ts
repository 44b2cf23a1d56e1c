import assert from "node:assert/strict";
import { test } from "node:test";
import { readGoTpmToolsAttestation } from "./go-tpm-tools.ts";

/** A field with bytes (Protocol Buffers, wire type 2); shorter than 128 bytes. */
const bytes = (number: number, content: Uint8Array | readonly number[]): number[] => [
  8 * number + 2,
  content.length,
  ...content,
];
const number = (field: number, value: number): number[] => [8 * field, value];
const value = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);
const quote = (bank: number, fill: number): number[] =>
  bytes(2, [
    ...bytes(1, [fill, 1]),
    ...bytes(2, [fill, 2]),
    ...bytes(3, [
      ...number(1, bank),
      ...bytes(2, bytes(2, [fill, 0])),
      ...bytes(2, [...number(1, 7), ...bytes(2, [fill, 7])]),
    ]),
  ]);
const read = (...fields: readonly (readonly number[])[]) => readGoTpmToolsAttestation(Uint8Array.from(fields.flat()));

test("each part of an attestation is found by its field", () => {
  assert.deepEqual(
    read(
      bytes(1, [1, 1]),
      quote(0x0b, 9),
      bytes(3, [3, 3]),
      bytes(6, [6, 6]),
      bytes(7, [7, 1]),
      bytes(7, [7, 2]),
      bytes(5, [5]),
      bytes(8, [8]),
    ),
    {
      quote: Uint8Array.of(9, 1),
      signature: Uint8Array.of(9, 2),
      attestationKey: Uint8Array.of(1, 1),
      certificates: [Uint8Array.of(6, 6), Uint8Array.of(7, 1), Uint8Array.of(7, 2)],
      registers: new Map([
        [
          0x0b,
          new Map([
            [0, Uint8Array.of(9, 0)],
            [7, Uint8Array.of(9, 7)],
          ]),
        ],
      ]),
      eventLog: Uint8Array.of(3, 3),
    },
  );
  const bare = read(quote(0x0b, 9), bytes(6, []));
  assert.deepEqual(bare.certificates, [], "an empty certificate is none");
  assert.ok(!("attestationKey" in bare) && !("eventLog" in bare));
});

test("of several quotes the one over SHA-256 is taken, then SHA-384, then whatever there is", () => {
  const bankOf = (...banks: readonly number[]): number | undefined =>
    read(...banks.map((bank) => quote(bank, bank))).quote[0];
  assert.equal(bankOf(0x04, 0x0c, 0x0b), 0x0b);
  assert.equal(bankOf(0x04, 0x0d, 0x0c), 0x0c);
  assert.equal(bankOf(0x0d, 0x04), 0x0d);
});

test("an attestation without a quote, and a part that is there twice, are refused", () => {
  const refused = (message: RegExp) => ({ code: "EVIDENCE_MALFORMED", message });
  assert.throws(() => read(bytes(1, [1])), refused(/there is no quote/));
  for (const field of [1, 3])
    assert.throws(() => read(quote(0x0b, 1), bytes(field, [1]), bytes(field, [1])), refused(/there twice/));
  assert.throws(() => read(bytes(2, [...bytes(1, [1]), ...bytes(1, [1])])), refused(/there twice/));
  const empty = read(bytes(2, []));
  assert.deepEqual([empty.quote, empty.signature, [...empty.registers]], [value(0, 0), value(0, 0), [[0, new Map()]]]);
});
