import assert from "node:assert/strict";
import { test } from "node:test";
import { capability, scriptedTpm, u16, u32 } from "../transport/testing/scripted-tpm.ts";
import { allocatedBanks, describeTpm, hasHandle, nvBufferMax } from "./capability.ts";

const [HANDLES, PCRS, PROPERTIES] = [1, 5, 6];
const PROPERTY = { maker: 0x105, firmware1: 0x10b, firmware2: 0x10c, nvBufferMax: 0x12c };

/** A TPM with these properties; it answers a question for one that it lacks with the next one it has. */
const withProperties = (properties: Readonly<Record<number, number>>) =>
  scriptedTpm(({ bytes }) => {
    const wanted = bytes.readUInt32BE(14);
    const found = Object.entries(properties).find(([property]) => Number(property) >= wanted);
    return found === undefined
      ? capability(PROPERTIES, [], 0)
      : capability(PROPERTIES, [...u32(Number(found[0])), ...u32(found[1])]);
  });

test("a TPM is its maker's letters and its firmware version", async () => {
  const ours = withProperties({
    [PROPERTY.maker]: 0x49424d00,
    [PROPERTY.firmware1]: 0x2019_1023,
    [PROPERTY.firmware2]: 0x0016_36ff,
  });
  assert.equal(await describeTpm(ours.tpm), "IBM 20191023.1636ff");
  assert.deepEqual(
    ours.asked.map(({ code, bytes }) => [code, bytes.subarray(10).toString("hex")]),
    [PROPERTY.maker, PROPERTY.firmware1, PROPERTY.firmware2].map((property) => [
      0x17a,
      Buffer.from([...u32(PROPERTIES), ...u32(property), ...u32(1)]).toString("hex"),
    ]),
  );
  assert.equal(await describeTpm(withProperties({}).tpm), " 0.0");
  assert.equal(await describeTpm(withProperties({ [PROPERTY.maker]: 0x41_20_7f_7e }).tpm), "A~ 0.0");
});

test("the largest transfer is what the TPM says of it, and 512 bytes where it says nothing", async () => {
  assert.equal(await nvBufferMax(withProperties({ [PROPERTY.nvBufferMax]: 768 }).tpm), 768);
  assert.equal(await nvBufferMax(withProperties({}).tpm), 512);
  assert.equal(await nvBufferMax(withProperties({ [PROPERTY.nvBufferMax + 1]: 7 }).tpm), 512);
});

test("a handle is there when the answer begins with it", async () => {
  const answer = (entries: readonly number[], count: number) => scriptedTpm(() => capability(HANDLES, entries, count));
  assert.equal(await hasHandle(answer(u32(0x81000003), 1).tpm, 0x81000003), true);
  assert.equal(await hasHandle(answer(u32(0x81000004), 1).tpm, 0x81000003), false);
  assert.equal(await hasHandle(answer([], 0).tpm, 0x81000003), false);
});

test("banks are those with a register, however long their maps are, and at most 64", async () => {
  const bank = (id: number, ...map: readonly number[]): number[] => [...u16(id), map.length, ...map];
  const answer = (...banks: readonly (readonly number[])[]) =>
    scriptedTpm(() => capability(PCRS, banks.flat(), banks.length)).tpm;
  assert.deepEqual(
    await allocatedBanks(answer(bank(4, 0, 0, 0), bank(0x0b, 0xff, 0xff, 0xff), bank(0x0c, 0, 0, 1), bank(0x0d))),
    [0x0b, 0x0c],
  );
  assert.deepEqual(
    await allocatedBanks(answer(bank(0x0b, ...Array.from({ length: 24 }, () => 1)), bank(0x0c, 1))),
    [0x0b, 0x0c],
  );
  const many = (count: number) => answer(...Array.from({ length: count }, () => bank(0x0b, 1)));
  assert.equal((await allocatedBanks(many(64))).length, 64);
  await assert.rejects(allocatedBanks(many(65)), { code: "ATTESTATION_REPORT_UNAVAILABLE", message: /too many/ });
});
