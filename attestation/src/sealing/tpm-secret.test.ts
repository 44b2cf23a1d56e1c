import assert from "node:assert/strict";
import { test } from "node:test";
import { TpmResponseError } from "../tpm/commands/tpm.ts";
import { response, scriptedTpm, sessionResponse, sized, u32 } from "../tpm/transport/testing/scripted-tpm.ts";
import { tpmSecret } from "./tpm-secret.ts";

const CODE = { createPrimary: 0x131, load: 0x157, unseal: 0x15e, flush: 0x165, startSession: 0x176 };
const [PARENT, OBJECT, SESSION] = [0x80000001, 0x80000002, 0x03000000];
const RECIPE = Uint8Array.from([...sized([1, 2]), ...sized([3])]);
const SECRET = new Uint8Array(32).fill(5);

/** A TPM that loads what it is given, unless told, and opens it so. */
function opening(opened: Uint8Array, loaded = sessionResponse(sized([]), OBJECT)) {
  const { transport, asked } = scriptedTpm(({ code }) => {
    if (code === CODE.createPrimary) return sessionResponse(sized([9]), PARENT);
    if (code === CODE.load) return loaded;
    if (code === CODE.startSession) return response(0, [...u32(SESSION), ...sized(new Uint8Array(16))]);
    return code === CODE.unseal ? opened : response(0);
  });
  const flushed = () => asked.filter(({ code }) => code === CODE.flush).map(({ bytes }) => bytes.readUInt32BE(10));
  return { secret: tpmSecret({ open: () => Promise.resolve(transport) }), asked, flushed };
}

test("a secret is opened, and nothing of it is left in the TPM", async () => {
  const { secret, asked, flushed } = opening(sessionResponse(sized(SECRET)));
  assert.deepEqual(await secret.again(RECIPE), SECRET);
  assert.deepEqual(flushed(), [SESSION, OBJECT, PARENT]);
  const loaded = asked.find(({ code }) => code === CODE.load)?.bytes ?? Buffer.of();
  assert.deepEqual(loaded.subarray(-RECIPE.length), Buffer.from(RECIPE));
});

test("a recipe that is none is not shown to the TPM", async () => {
  const { secret, asked } = opening(sessionResponse(sized(SECRET)));
  for (const recipe of [new Uint8Array(), RECIPE.subarray(0, -1), Uint8Array.from([...RECIPE, 0])])
    assert.equal(await secret.again(recipe), null);
  assert.equal(asked.length, 0);
});

test("what a TPM says of a blob that is not its own gives nothing, and any other refusal is said", async () => {
  // Format-one codes of parameter 1: attributes, hash, value, type, scheme, size, insufficient, policy, integrity, binding.
  for (const code of [0x2, 0x3, 0x4, 0xa, 0x12, 0x15, 0x1a, 0x1d, 0x1f, 0x25].map((error) => 0x1c0 | error)) {
    const ofBlob = opening(sessionResponse(sized(SECRET)), response(code));
    assert.equal(await ofBlob.secret.again(RECIPE), null, `0x${code.toString(16)}`);
    assert.deepEqual(ofBlob.flushed(), [PARENT]);
    const ofRegisters = opening(response(code));
    assert.equal(await ofRegisters.secret.again(RECIPE), null, `0x${code.toString(16)}`);
    assert.deepEqual(ofRegisters.flushed(), [SESSION, OBJECT, PARENT]);
  }
  // Authorisation failed, a handle that is not there, the TPM in failure mode, its memory full.
  for (const code of [0x98e, 0x18b, 0x101, 0x902])
    await assert.rejects(opening(response(code)).secret.again(RECIPE), TpmResponseError, `0x${code.toString(16)}`);
});

test("a secret of another length is none", async () => {
  for (const length of [0, 31, 33])
    await assert.rejects(opening(sessionResponse(sized(new Uint8Array(length)))).secret.again(RECIPE), {
      code: "ATTESTATION_REPORT_UNAVAILABLE",
      message: /another length/,
    });
});
