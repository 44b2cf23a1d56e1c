import assert from "node:assert/strict";
import { test } from "node:test";
import { answering, response, scriptedTpm, sessionResponse, sized } from "../transport/testing/scripted-tpm.ts";
import { create, flush, unseal, withObject } from "./objects.ts";
import { CommandWriter } from "./writer.ts";

const WRAPPED = { privateArea: Uint8Array.of(1, 2), publicArea: Uint8Array.of(3) };

test("a TPM seals up to 128 bytes", async () => {
  const { tpm, asked } = answering(sessionResponse([...sized(WRAPPED.privateArea), ...sized(WRAPPED.publicArea)]));
  assert.deepEqual(await create(tpm, 0x80000000, Uint8Array.of(9), new Uint8Array(128).fill(5)), WRAPPED);
  assert.ok(asked[0]?.bytes.includes(Buffer.concat([Buffer.of(0, 132, 0, 0, 0, 128), Buffer.alloc(128, 5)])));
  await assert.rejects(create(tpm, 0x80000000, Uint8Array.of(9), new Uint8Array(129)), { code: "INTERNAL" });
});

test("an opened secret is the whole answer", async () => {
  const open = async (parameters: readonly number[]) => await unseal(answering(sessionResponse(parameters)).tpm, 1, 2);
  assert.deepEqual(await open(sized([7, 8])), Uint8Array.of(7, 8));
  for (const parameters of [[...sized([7]), 0], [0, 2, 7], []])
    await assert.rejects(open(parameters), { code: "ATTESTATION_REPORT_UNAVAILABLE" });
});

test("an object is flushed after its work, whatever the work comes to", async () => {
  const { tpm, asked } = scriptedTpm(() => response(0));
  assert.equal(
    await withObject(
      tpm,
      () => Promise.resolve(0x80000007),
      (handle) => Promise.resolve(handle + 1),
    ),
    0x80000008,
  );
  const failed = withObject(
    tpm,
    () => Promise.resolve(0x80000008),
    () => Promise.reject(new Error("work")),
  );
  await assert.rejects(failed, /work/);
  await flush(tpm, 0x80000009);
  assert.deepEqual(
    asked.map(({ code, bytes }) => [code, bytes.readUInt32BE(10)]),
    [0x80000007, 0x80000008, 0x80000009].map((handle) => [0x165, handle]),
  );
});

test("a command is written in network order and never beyond 4096 bytes", () => {
  const writer = new CommandWriter().u8(1).u16(0x0203).u32(0x04050607).sized(Uint8Array.of(8)).bytes(Uint8Array.of(9));
  assert.equal(Buffer.from(writer.done()).toString("hex"), "0102030405060700010809");
  assert.equal(new CommandWriter().bytes(new Uint8Array(4096)).done().length, 4096);
  for (const write of [
    () => new CommandWriter().bytes(new Uint8Array(4097)),
    () => new CommandWriter().bytes(new Uint8Array(4096)).u8(0),
    () => new CommandWriter().bytes(new Uint8Array(4095)).u16(0),
    () => new CommandWriter().bytes(new Uint8Array(4093)).u32(0),
  ])
    assert.throws(write, { code: "INTERNAL" });
});
