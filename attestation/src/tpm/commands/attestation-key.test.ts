import assert from "node:assert/strict";
import { test } from "node:test";
import {
  capability,
  response,
  scriptedTpm,
  sessionResponse,
  sized,
  u16,
  u32,
} from "../transport/testing/scripted-tpm.ts";
import { loadAttestationKey } from "./attestation-key.ts";
import { attestationKeyTemplate } from "./templates.ts";

const CODE = { createPrimary: 0x131, nvRead: 0x14e, flush: 0x165, nvReadPublic: 0x169, readPublic: 0x173 };
const AZURE = { key: 0x81000003, certificate: 0x01c101d0 };
const GCE = {
  ecc: { certificate: 0x01c10002, template: 0x01c10003 },
  rsa: { certificate: 0x01c10000, template: 0x01c10001 },
};
const CERTIFICATE = [0x30, 0x01, 0x07];
const MADE = 0x80000005;

/** A TPM with these NV indices and persistent handles. */
function holding(indices: Readonly<Record<number, readonly number[]>>, handles: readonly number[] = []) {
  return scriptedTpm(({ code, bytes }) => {
    const first = bytes.readUInt32BE(10);
    if (code === CODE.createPrimary) return sessionResponse(sized([0xcc]), MADE);
    if (code === CODE.readPublic) return response(0, sized([0xdd]));
    if (code === CODE.flush) return response(0);
    if (code === CODE.nvReadPublic)
      return response(0, [
        ...sized([...u32(first), ...u16(0x0b), ...u32(1 << 17), ...sized([]), ...u16(indices[first]?.length ?? 0)]),
        ...sized([]),
      ]);
    if (code === CODE.nvRead) return sessionResponse(sized(indices[bytes.readUInt32BE(14)] ?? []));
    if (first !== 1) return capability(first, [], 0);
    const asked = bytes.readUInt32BE(14);
    return asked in indices || handles.includes(asked) ? capability(1, u32(asked)) : capability(1, [], 0);
  });
}
const templateOf = (asked: ReturnType<typeof holding>["asked"]): string =>
  asked.find(({ code }) => code === CODE.createPrimary)?.bytes.toString("hex") ?? "";

test("Google's key is made from its template, with or without a length before it, the one on a curve first", async () => {
  const template = [0x11, 0x22, 0x33, 0x44];
  for (const stored of [template, sized(template)]) {
    const { tpm, asked } = holding({
      [GCE.ecc.certificate]: [...CERTIFICATE, 0, 0],
      [GCE.ecc.template]: stored,
      [GCE.rsa.certificate]: [0x30, 0],
      [GCE.rsa.template]: [0x55, 0x66],
    });
    const key = await loadAttestationKey(tpm);
    assert.deepEqual([key.handle, key.publicArea], [MADE, Uint8Array.of(0xcc)]);
    assert.deepEqual(key.certificates, [Uint8Array.from(CERTIFICATE)]);
    // An empty secret, the template, no outside data, no registers of its making.
    assert.ok(templateOf(asked).endsWith("000400000000000411223344000000000000"));
    await key.release();
    assert.deepEqual([asked.at(-1)?.code, asked.at(-1)?.bytes.readUInt32BE(10)], [CODE.flush, MADE]);
  }
  for (const half of [{ [GCE.ecc.certificate]: CERTIFICATE }, { [GCE.ecc.template]: [0x11, 0x22] }]) {
    const { tpm, asked } = holding({
      ...half,
      [GCE.rsa.certificate]: CERTIFICATE,
      [GCE.rsa.template]: [0x55, 0x66, 0x77],
    });
    await loadAttestationKey(tpm);
    assert.ok(templateOf(asked).includes("0003556677"), "one without its half is passed over");
  }
});

test("Azure's key is the one in its persistent handle, and stays there", async () => {
  const { tpm, asked } = holding({ [AZURE.certificate]: CERTIFICATE, [GCE.ecc.certificate]: CERTIFICATE }, [AZURE.key]);
  const key = await loadAttestationKey(tpm);
  assert.deepEqual([key.handle, key.publicArea], [AZURE.key, Uint8Array.of(0xdd)]);
  await key.release();
  assert.ok(!asked.some(({ code }) => code === CODE.flush || code === CODE.createPrimary));
});

test("without a certified key one is made from this project's template, under the endorsement seed", async () => {
  for (const tpm of [holding({}), holding({ [AZURE.certificate]: CERTIFICATE }), holding({}, [AZURE.key])]) {
    const key = await loadAttestationKey(tpm.tpm);
    assert.deepEqual(key.certificates, []);
    const made = tpm.asked.find(({ code }) => code === CODE.createPrimary)?.bytes ?? Buffer.of();
    assert.equal(made.readUInt32BE(10), 0x4000000b);
    assert.ok(made.includes(Buffer.from(attestationKeyTemplate())));
  }
});

test("a template or certificate that is none is the TPM's fault", async () => {
  const unavailable = { code: "ATTESTATION_REPORT_UNAVAILABLE" };
  for (const [certificate, template] of [
    [CERTIFICATE, [1]],
    [
      [0x31, 0],
      [1, 2, 3],
    ],
    [
      [0x30, 9],
      [1, 2, 3],
    ],
  ] as const)
    await assert.rejects(
      loadAttestationKey(holding({ [GCE.ecc.certificate]: certificate, [GCE.ecc.template]: template }).tpm),
      unavailable,
    );
});
