import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { after, before, test } from "node:test";
import { toBase64Url } from "@cmcp/boundary";
import * as fc from "fast-check";
import { defineNv, persist } from "../transport/testing/provision.ts";
import { answering, capability, response, sessionResponse, u16, u32 } from "../transport/testing/scripted-tpm.ts";
import { NO_SWTPM, Swtpm } from "../transport/testing/swtpm.ts";
import { loadAttestationKey, AZURE_KEY_CERTIFICATE_INDEX, AZURE_KEY_HANDLE } from "./attestation-key.ts";
import { allocatedBanks, describeTpm, hasHandle } from "./capability.ts";
import { ALGORITHM, HANDLE, RESPONSE } from "./codes.ts";
import { readNv } from "./nv.ts";
import { create, createPrimary, flush, load, readPublic, unseal, withObject } from "./objects.ts";
import { extendPcr, readPcrs } from "./pcr.ts";
import { pcrDigest, pcrPolicyDigest, policyPcr, startPolicySession } from "./policy.ts";
import { quote } from "./quote.ts";
import { attestationKeyTemplate, sealedDataTemplate, storageKeyTemplate } from "./templates.ts";
import { Tpm, TpmResponseError } from "./tpm.ts";

const UNAVAILABLE = { code: "ATTESTATION_REPORT_UNAVAILABLE" };
const SHA256 = ALGORITHM.sha256;
let swtpm: Swtpm | null = null;

before(async () => {
  swtpm = await Swtpm.start();
});
after(async () => await swtpm?.stop());

/** A test against the software TPM. */
function withSwtpm(name: string, work: (tpm: Tpm) => Promise<void>): void {
  test(name, async (t) => {
    if (swtpm === null) return t.skip(NO_SWTPM);
    await swtpm.use(work);
  });
}

withSwtpm("a TPM says what it is and what it has", async (tpm) => {
  assert.match(await describeTpm(tpm), /^IBM [0-9a-f]+\.[0-9a-f]+$/);
  assert.ok((await allocatedBanks(tpm)).includes(SHA256));
  assert.equal(await hasHandle(tpm, 0x81010001), false);
});

withSwtpm("registers of every number are read in one go and extended one by one", async (tpm) => {
  const all = Array.from({ length: 24 }, (_, index) => index);
  const values = await readPcrs(tpm, { bank: SHA256, registers: all.toReversed() });
  assert.deepEqual([...values.keys()], all);
  assert.ok(
    values.get(17)?.every((byte) => byte === 0xff),
    "a dynamic launch register starts with ones",
  );
  const event = createHash("sha256").update("event").digest();
  await extendPcr(tpm, 14, new Map([[SHA256, event]]));
  const [after] = (await readPcrs(tpm, { bank: SHA256, registers: [14] })).values();
  assert.deepEqual(
    Buffer.from(after ?? []),
    createHash("sha256")
      .update(values.get(14) ?? "")
      .update(event)
      .digest(),
  );
});

withSwtpm("a bank the TPM does not keep, and registers there are not, are refused", async (tpm) => {
  await assert.rejects(readPcrs(tpm, { bank: 0x0012, registers: [0] }), { code: "INTERNAL" });
  await assert.rejects(readPcrs(tpm, { bank: SHA256, registers: [24] }), { code: "INTERNAL" });
  await assert.rejects(extendPcr(tpm, 14, new Map([[SHA256, new Uint8Array(31)]])), { code: "INTERNAL" });
});

test("a machine that loses power again and again does not lock its attestation key", async (t) => {
  const own = await Swtpm.start();
  if (own === null) return t.skip(NO_SWTPM);
  t.after(() => own.stop());
  // Of the software TPM three in a row would do; others allow 32.
  for (let starts = 0; starts < 6; starts += 1) {
    await own.use(async (tpm) => {
      const { handle } = await createPrimary(tpm, HANDLE.endorsement, attestationKeyTemplate());
      await quote(tpm, handle, new Uint8Array(32), { bank: SHA256, registers: [0] });
      await flush(tpm, handle);
    });
    await own.cutPower();
  }
});

withSwtpm(
  "an attestation key is the same each time, signs what the TPM made, and verifies with another implementation",
  async (tpm) => {
    const selection = { bank: SHA256, registers: [0, 7, 15] };
    const first = await createPrimary(tpm, HANDLE.endorsement, attestationKeyTemplate());
    assert.deepEqual(await readPublic(tpm, first.handle), first.publicArea);
    const { attest, signature } = await quote(tpm, first.handle, new Uint8Array(32).fill(9), selection);
    await flush(tpm, first.handle);
    const again = await createPrimary(tpm, HANDLE.endorsement, attestationKeyTemplate());
    await flush(tpm, again.handle);
    assert.deepEqual(again.publicArea, first.publicArea);

    const area = Buffer.from(first.publicArea);
    const point = { x: area.subarray(-66, -34), y: area.subarray(-32) };
    const key = createPublicKey({
      format: "jwk",
      key: { kty: "EC", crv: "P-256", x: toBase64Url(point.x), y: toBase64Url(point.y) },
    });
    // TPMT_SIGNATURE of ECDSA: algorithm, hash, r and s with their lengths.
    const signed = Buffer.from(signature);
    const length = signed.readUInt16BE(4);
    const r = signed.subarray(6, 6 + length);
    const s = signed.subarray(8 + length);
    const plain = Buffer.concat([Buffer.alloc(32 - r.length), r, Buffer.alloc(32 - s.length), s]);
    assert.ok(verify("sha256", attest, { key, dsaEncoding: "ieee-p1363" }, plain));
    const digest = pcrDigest(await readPcrs(tpm, selection));
    assert.deepEqual(attest.slice(-32), new Uint8Array(digest));
  },
);

withSwtpm("sealed data opens while the registers are as they were and never after one was extended", async (tpm) => {
  const selection = { bank: SHA256, registers: [13] };
  const policy = pcrPolicyDigest(selection, pcrDigest(await readPcrs(tpm, selection)));
  const secret = Uint8Array.from({ length: 32 }, (_, index) => index);
  const open = async (): Promise<Uint8Array> =>
    await withObject(
      tpm,
      async () => await load(tpm, parent.handle, wrapped),
      async (object) =>
        await withObject(
          tpm,
          async () => await startPolicySession(tpm),
          async (session) => {
            await policyPcr(tpm, session, selection);
            return await unseal(tpm, object, session);
          },
        ),
    );
  const parent = await createPrimary(tpm, HANDLE.owner, storageKeyTemplate());
  const wrapped = await create(tpm, parent.handle, sealedDataTemplate(policy), secret);
  assert.deepEqual(await open(), secret);
  await extendPcr(tpm, 13, new Map([[SHA256, new Uint8Array(32).fill(1)]]));
  await assert.rejects(
    open(),
    (thrown) => thrown instanceof TpmResponseError && thrown.responseCode === RESPONSE.policyFail,
  );
  await flush(tpm, parent.handle);
  await assert.rejects(create(tpm, HANDLE.owner, sealedDataTemplate(policy), new Uint8Array(129)), {
    code: "INTERNAL",
  });
});

withSwtpm("an NV index is read whole, whoever may read it, and an absent one is told apart", async (tpm) => {
  const content = Uint8Array.from({ length: 1700 }, (_, index) => index % 251);
  await defineNv(tpm, 0x01800001, content);
  await defineNv(tpm, 0x01800002, content.subarray(0, 40), { by: "index" });
  assert.equal(await hasHandle(tpm, 0x01800001), true);
  assert.deepEqual(await readNv(tpm, 0x01800001), content);
  assert.deepEqual(await readNv(tpm, 0x01800002), content.slice(0, 40));
  await assert.rejects(
    readNv(tpm, 0x01800003),
    (thrown) => thrown instanceof TpmResponseError && thrown.responseCode === RESPONSE.handle,
  );
});

withSwtpm(
  "the platform's certified key comes before one of our own, and its certificate without its padding",
  async (tpm) => {
    const made = await createPrimary(tpm, HANDLE.owner, attestationKeyTemplate());
    await persist(tpm, made.handle, AZURE_KEY_HANDLE);
    const uncertified = await loadAttestationKey(tpm);
    await uncertified.release();
    assert.deepEqual(uncertified.certificates, [], "without its certificate Azure's key is not taken");
    assert.notDeepEqual(uncertified.publicArea, made.publicArea);
    await persist(tpm, AZURE_KEY_HANDLE, AZURE_KEY_HANDLE); // again is away
    await defineNv(tpm, AZURE_KEY_CERTIFICATE_INDEX, Uint8Array.from([0x30, 0x00]), { room: 16 });
    const own = await loadAttestationKey(tpm);
    await own.release();
    assert.deepEqual(own.certificates, [], "without its key Azure's certificate is nothing");

    // What Google Compute Engine has: a template, and a certificate of the key it gives.
    const certificate = Uint8Array.from([0x30, 0x03, 0x02, 0x01, 0x05]);
    await defineNv(tpm, 0x01c10002, certificate, { room: 64 });
    await defineNv(tpm, 0x01c10003, attestationKeyTemplate());
    const gce = await loadAttestationKey(tpm);
    await gce.release();
    assert.deepEqual(gce.certificates, [certificate]);
    assert.deepEqual(gce.publicArea, own.publicArea);

    await persist(tpm, made.handle, AZURE_KEY_HANDLE);
    await flush(tpm, made.handle);
    const azure = await loadAttestationKey(tpm);
    assert.equal(azure.handle, AZURE_KEY_HANDLE);
    assert.deepEqual(azure.certificates, [Uint8Array.from([0x30, 0x00])]);
    assert.deepEqual(azure.publicArea, made.publicArea);
  },
);

test("a TPM that is busy is asked again, and not for ever", async () => {
  const busy = answering(response(RESPONSE.retry), response(RESPONSE.testing), response(RESPONSE.success, [0, 0]));
  assert.deepEqual(await readPublic(busy.tpm, 1), new Uint8Array());
  assert.equal(busy.asked.length, 3);
  const refusing = answering(response(0x101));
  await assert.rejects(
    readPublic(refusing.tpm, 1),
    (thrown) => thrown instanceof TpmResponseError && thrown.responseCode === 0x101,
  );
  assert.equal(refusing.asked.length, 1);
  const always = answering(response(RESPONSE.retry));
  await assert.rejects(
    readPublic(always.tpm, 1),
    (thrown) => thrown instanceof TpmResponseError && thrown.responseCode === RESPONSE.retry,
  );
  assert.equal(always.asked.length, 51);
});

test("an answer with the wrong size, the wrong tag or none of what was asked is no answer", async () => {
  const wrongSize = response(0, [0, 0]);
  wrongSize[5] = 99;
  for (const answer of [new Uint8Array(), wrongSize, response(0, [0, 0], 0x8002), response(0, [0, 9, 1])]) {
    await assert.rejects(readPublic(answering(answer).tpm, 1), UNAVAILABLE);
  }
});

test("an answer to another question, or with more or less than was asked for, is no answer", async () => {
  const nvPublic = (index: number, bytes: number): Uint8Array => {
    const area = [...u32(index), ...u16(SHA256), ...u32(1 << 17), ...u16(0), ...u16(bytes)];
    return response(0, [...u16(area.length), ...area, ...u16(0)]);
  };
  const bufferMax = capability(6, [...u32(0x12c), ...u32(512)]);
  const pcrs = (digests: readonly number[], count: number, map = 0x03): Uint8Array =>
    response(0, [...u32(1), ...u32(1), ...u16(SHA256), 3, map, 0, 0, ...u32(count), ...digests]);
  const digest = (length: number): number[] => [...u16(length), ...Array.from({ length }, () => 1)];

  const nv = (answers: readonly Uint8Array[]) => readNv(answering(...answers).tpm, 0x01800001);
  const read = sessionResponse(digest(4));
  assert.equal((await nv([nvPublic(0x01800001, 4), bufferMax, read])).length, 4);
  await assert.rejects(nv([nvPublic(0x01800002, 4), bufferMax, read]), { ...UNAVAILABLE, message: /another index/ });
  await assert.rejects(nv([nvPublic(0x01800001, 16 * 1024 + 1), bufferMax, read]), {
    ...UNAVAILABLE,
    message: /larger/,
  });
  await assert.rejects(nv([nvPublic(0x01800001, 4), bufferMax, sessionResponse(digest(3))]), {
    ...UNAVAILABLE,
    message: /less data/,
  });

  assert.equal(await hasHandle(answering(capability(1, u32(7))).tpm, 7), true);
  await assert.rejects(hasHandle(answering(capability(5, u32(7))).tpm, 7), {
    ...UNAVAILABLE,
    message: /another capability/,
  });
  await assert.rejects(
    allocatedBanks(
      answering(
        capability(
          5,
          Array.from({ length: 700 }, () => 1),
          65,
        ),
      ).tpm,
    ),
    { ...UNAVAILABLE, message: /too many/ },
  );

  const selection = { bank: SHA256, registers: [0, 1] };
  const two = [...digest(32), ...digest(32)];
  assert.equal((await readPcrs(answering(pcrs(two, 2)).tpm, selection)).size, 2);
  await assert.rejects(readPcrs(answering(pcrs(two, 2, 0x00)).tpm, selection), { ...UNAVAILABLE, message: /bank/ });
  await assert.rejects(readPcrs(answering(pcrs([...digest(32), ...digest(31)], 2)).tpm, selection), {
    ...UNAVAILABLE,
    message: /another length/,
  });
  await assert.rejects(
    readPcrs(answering(pcrs(Array.from({ length: 9 }, () => digest(32)).flat(), 9)).tpm, selection),
    { ...UNAVAILABLE, message: /too many/ },
  );
});

test("whatever a TPM answers ends in a value or a typed error", async () => {
  const readers: readonly ((tpm: Tpm) => Promise<unknown>)[] = [
    describeTpm,
    allocatedBanks,
    loadAttestationKey,
    async (tpm) => await readNv(tpm, 0x01800001),
    async (tpm) => await readPcrs(tpm, { bank: SHA256, registers: [0, 1] }),
    async (tpm) => await quote(tpm, 1, new Uint8Array(32), { bank: SHA256, registers: [0] }),
    async (tpm) => await unseal(tpm, 1, 2),
    async (tpm) => await createPrimary(tpm, HANDLE.owner, storageKeyTemplate()),
  ];
  const body = fc.uint8Array({ maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...readers),
      fc.array(fc.record({ body, tag: fc.constantFrom(0x8001, 0x8002), raw: fc.boolean() }), {
        minLength: 1,
        maxLength: 4,
      }),
      async (read, answers) => {
        const { tpm } = answering(...answers.map(({ body, tag, raw }) => (raw ? body : response(0, [...body], tag))));
        await read(tpm).catch((thrown: unknown) =>
          assert.ok(
            thrown instanceof Error && "code" in thrown && thrown.code === "ATTESTATION_REPORT_UNAVAILABLE",
            String(thrown),
          ),
        );
      },
    ),
    { numRuns: 300 },
  );
});
