import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { collectTpm, measureImage, tpmQualifyingData, withTpm } from "./collect.ts";
import {
  capability,
  response,
  scriptedTpm,
  sessionResponse,
  sized,
  u16,
  u32,
} from "./transport/testing/scripted-tpm.ts";

const CODE = { createPrimary: 0x131, quote: 0x158, flush: 0x165, capability: 0x17a, pcrRead: 0x17e };
const KEY = 0x80000005;
const REPORT_DATA = Uint8Array.from({ length: 64 }, (_, index) => index);
const QUOTED = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15];
const digestOf = (values: readonly Uint8Array[]): Buffer =>
  values.reduce((hash, value) => hash.update(value), createHash("sha256")).digest();
const register = (index: number): Uint8Array => new Uint8Array(32).fill(index);

const folder = mkdtempSync(join(tmpdir(), "cmcp-collect-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A TPM whose registers hold their own number, and that quotes what it is asked to. */
function machine() {
  let closed = 0;
  const script = scriptedTpm(({ code, bytes }) => {
    if (code === CODE.capability) return capability(bytes.readUInt32BE(10), [], 0);
    if (code === CODE.createPrimary) return sessionResponse(sized([0xcc]), KEY);
    if (code === CODE.pcrRead) {
      const map = bytes.readUIntLE(17, 3);
      const values = QUOTED.filter((index) => ((map >> index) & 1) === 1).map(register);
      return response(0, [
        ...u32(1),
        ...bytes.subarray(10),
        ...u32(values.length),
        ...values.flatMap((one) => sized(one)),
      ]);
    }
    if (code !== CODE.quote) return response(0);
    const qualifying = bytes.subarray(29, 29 + bytes.readUInt16BE(27));
    return sessionResponse([...sized(Buffer.concat([qualifying, digestOf(QUOTED.map(register))])), ...u16(0x18), 7]);
  });
  const open = () =>
    Promise.resolve({
      ...script.transport,
      close: () => {
        closed += 1;
        return Promise.resolve();
      },
    });
  return { ...script, open, closed: () => closed };
}

test("evidence is two quotes over the registers as they were read, and leaves no key in the TPM", async () => {
  const { asked, open, closed } = machine();
  const eventLogPath = join(folder, "log");
  writeFileSync(eventLogPath, "log");
  const evidence = await collectTpm(REPORT_DATA, 5, { open, eventLogPath });
  assert.ok(evidence.parts.provider === "tpm");
  const { tpm } = evidence.parts;
  const digest = digestOf(QUOTED.map(register));
  assert.deepEqual(
    [evidence.platform, evidence.measurement, evidence.generatedAt, evidence.firmware],
    ["tpm2", `sha256:${digest.toString("hex")}`, 5, "TPM 2.0  0.0"],
  );
  assert.deepEqual(tpm.quote.attest, new Uint8Array(Buffer.concat([tpmQualifyingData(REPORT_DATA), digest])));
  assert.deepEqual(tpm.keyQuote.attest, new Uint8Array(Buffer.concat([REPORT_DATA.subarray(0, 32), digest])));
  assert.deepEqual(tpm.quote.signature, Uint8Array.of(0, 0x18, 7));
  assert.deepEqual(
    [...tpm.registers],
    QUOTED.map((index) => [index, register(index)]),
  );
  assert.deepEqual(
    [tpm.bank, tpm.attestationKey, tpm.certificates, tpm.eventLog],
    [0x0b, Uint8Array.of(0xcc), [], new Uint8Array(Buffer.from("log"))],
  );
  assert.deepEqual(
    asked.filter(({ code }) => code === CODE.flush).map(({ bytes }) => bytes.readUInt32BE(10)),
    [KEY],
  );
  assert.equal(closed(), 1);
});

test("a TPM without a log has evidence without one", async () => {
  const { open } = machine();
  const { parts } = await collectTpm(REPORT_DATA, 5, { open, eventLogPath: null });
  assert.ok(parts.provider === "tpm");
  assert.equal(parts.tpm.eventLog, null);
});

test("report data of another length is never quoted; the key and the connection are released all the same", async () => {
  for (const length of [0, 63, 65]) {
    const { asked, open, closed } = machine();
    await assert.rejects(collectTpm(new Uint8Array(length), 0, { open, eventLogPath: null }), { code: "INTERNAL" });
    assert.ok(!asked.some(({ code }) => code === CODE.quote));
    assert.equal(asked.at(-1)?.code, CODE.flush);
    assert.equal(closed(), 1);
  }
});

test("an image is measured as if nothing had been launched", async () => {
  const { open } = machine();
  const values = QUOTED.map((index) => (index === 15 ? new Uint8Array(32) : register(index)));
  assert.equal(await withTpm({ open }, measureImage), `sha256:${digestOf(values).toString("hex")}`);
});

test("qualifying data is the digest of the purpose and all of the report data", () => {
  assert.deepEqual(
    Buffer.from(tpmQualifyingData(REPORT_DATA)),
    createHash("sha256")
      .update(Buffer.concat([Buffer.from("cmcp-tpm-v1"), REPORT_DATA]))
      .digest(),
  );
});
