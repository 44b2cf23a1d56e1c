import assert from "node:assert/strict";
import { test } from "node:test";
import { scriptedTpm, response, u16, u32 } from "../transport/testing/scripted-tpm.ts";
import { encodeSelection, extendPcr, readPcrs } from "./pcr.ts";

const SHA256 = 0x000b;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** A TPM whose registers hold their own number; `digests` may change what it answers with. */
const registers = (digests: (values: Uint8Array[]) => Uint8Array[] = (values) => values, behind: number[] = []) =>
  scriptedTpm(({ bytes }) => {
    const selection = bytes.subarray(10);
    const map = selection.readUIntLE(7, 3);
    const values = Array.from({ length: 24 }, (_, register) => register)
      .filter((register) => ((map >> register) & 1) === 1)
      .map((register) => new Uint8Array(32).fill(register));
    const given = digests(values);
    return response(0, [
      ...u32(9),
      ...selection,
      ...u32(given.length),
      ...given.flatMap((value) => [...u16(value.length), ...value]),
      ...behind,
    ]);
  });

test("a selection is one bank and three bytes of bits, the lowest register first", () => {
  assert.equal(hex(encodeSelection({ bank: SHA256, registers: [0, 9, 23] })), "00000001000b03010280");
  assert.equal(hex(encodeSelection({ bank: SHA256, registers: [] })), "00000001000b03000000");
  for (const register of [-1, 24, 1.5])
    assert.throws(() => encodeSelection({ bank: SHA256, registers: [register] }), { code: "INTERNAL" });
});

test("registers are read in the order of their numbers, eight at a time and no more often", async () => {
  for (const [count, questions] of [
    [0, 0],
    [1, 1],
    [8, 1],
    [9, 2],
    [24, 3],
  ] as const) {
    const { tpm, asked } = registers();
    const wanted = Array.from({ length: count }, (_, register) => register);
    const values = await readPcrs(tpm, { bank: SHA256, registers: wanted.toReversed() });
    assert.deepEqual(
      [...values],
      wanted.map((register) => [register, new Uint8Array(32).fill(register)]),
    );
    assert.equal(asked.length, questions, `${count} registers`);
  }
});

test("an answer has a digest of the bank's length for each register, and nothing else", async () => {
  const read = async (tpm: ReturnType<typeof registers>) =>
    await readPcrs(tpm.tpm, { bank: SHA256, registers: [0, 1, 2, 3, 4, 5, 6, 7] });
  const unavailable = (message: RegExp) => ({ code: "ATTESTATION_REPORT_UNAVAILABLE", message });
  await assert.rejects(read(registers((values) => values.slice(1))), unavailable(/bank that is needed/));
  await assert.rejects(read(registers((values) => [...values, new Uint8Array(32)])), unavailable(/too many digests/));
  await assert.rejects(
    read(registers((values) => values.map((value) => value.subarray(1)))),
    unavailable(/another length/),
  );
  await assert.rejects(read(registers(undefined, [0])), unavailable(/bytes too many/));
});

test("a register is extended in each bank with a digest of its length", async () => {
  const { tpm, asked } = scriptedTpm(() => response(0, [...u32(0), ...u16(0), 1, ...u16(0)], 0x8002));
  await extendPcr(
    tpm,
    15,
    new Map([
      [SHA256, new Uint8Array(32).fill(1)],
      [0x000c, new Uint8Array(48).fill(2)],
    ]),
  );
  const [{ code, bytes }] = asked as [(typeof asked)[0]];
  assert.equal(code, 0x182);
  assert.equal(
    hex(bytes.subarray(10)),
    `0000000f0000000940000009000001000000000002000b${"01".repeat(32)}000c${"02".repeat(48)}`,
  );
  for (const [bank, length] of [
    [0x0004, 32],
    [SHA256, 20],
    [0x000d, 63],
    [0x0012, 32],
  ] as const)
    await assert.rejects(extendPcr(tpm, 15, new Map([[bank, new Uint8Array(length)]])), { code: "INTERNAL" });
  for (const [bank, length] of [
    [0x0004, 20],
    [0x000d, 64],
  ] as const)
    await extendPcr(tpm, 15, new Map([[bank, new Uint8Array(length)]]));
});
