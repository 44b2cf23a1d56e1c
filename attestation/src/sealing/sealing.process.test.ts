import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import { FakeKernel } from "../configfs-tsm/testing/kernel.ts";
import { NO_SHARED_FOLDER, sharedFile } from "../../../packages/appraise/src/testing/shared.ts";
import { extendPcr } from "../tpm/commands/pcr.ts";
import { NO_SWTPM, Swtpm } from "../tpm/transport/testing/swtpm.ts";
import { sealingOf, type SealingAccess } from "./sealing.ts";
import type { PlatformSecret } from "./platform-secret.ts";
import { MAX_BLOB_BYTES, MAX_SEALED_BYTES, seal, unseal, type SealBinding } from "./seal.ts";
import { derivedKeysAreSound, snpSecret } from "./snp-secret.ts";
import { tpmSecret } from "./tpm-secret.ts";

const UNAVAILABLE = { code: "ATTESTATION_REPORT_UNAVAILABLE" };
const VALUE = new TextEncoder().encode("thirty-two bytes of a signing key");
const BINDING: SealBinding = { launchDigest: new Uint8Array(32).fill(1), purpose: "test" };
const CPUID = 0x188;

async function freshTpm(t: TestContext): Promise<{ swtpm: Swtpm; platform: PlatformSecret } | undefined> {
  const swtpm = await Swtpm.start();
  if (swtpm === null) {
    t.skip(NO_SWTPM);
    return undefined;
  }
  t.after(async () => await swtpm.stop());
  return { swtpm, platform: tpmSecret({ open: async () => await swtpm.connect() }) };
}

test("TPM: what was sealed opens again, and not once a register was extended", async (t) => {
  const found = await freshTpm(t);
  if (found === undefined) return;
  const { swtpm, platform } = found;
  const blob = await seal(platform, BINDING, VALUE);
  assert.deepEqual(await unseal(platform, BINDING, blob), VALUE);
  assert.equal(Buffer.from(blob).indexOf(VALUE), -1);
  await swtpm.use(async (tpm) => await extendPcr(tpm, 15, new Map([[0x000b, new Uint8Array(32)]])));
  assert.equal(await unseal(platform, BINDING, blob), null);
});

test("TPM: another TPM, another launch document and another purpose open nothing", async (t) => {
  const [here, there] = [await freshTpm(t), await freshTpm(t)];
  if (here === undefined || there === undefined) return;
  const blob = await seal(here.platform, BINDING, VALUE);
  assert.equal(await unseal(there.platform, BINDING, blob), null);
  assert.equal(await unseal(here.platform, { ...BINDING, launchDigest: new Uint8Array(32).fill(2) }, blob), null);
  assert.equal(await unseal(here.platform, { ...BINDING, purpose: "test2" }, blob), null);
  await assert.rejects(unseal(here.platform, { ...BINDING, launchDigest: new Uint8Array(31) }, blob), {
    code: "INTERNAL",
  });
});

test("TPM: a blob changed at any place opens nothing and breaks nothing", async (t) => {
  const found = await freshTpm(t);
  if (found === undefined) return;
  const blob = await seal(found.platform, BINDING, VALUE);
  for (let at = 0; at < blob.length; at += 7)
    assert.equal(await unseal(found.platform, BINDING, blob.with(at, (blob[at] ?? 0) ^ 0x01)), null, `byte ${at}`);
  for (let length = 0; length < blob.length; length += 31)
    assert.equal(await unseal(found.platform, BINDING, blob.subarray(0, length)), null);
  assert.deepEqual(await unseal(found.platform, BINDING, blob), VALUE);
});

test("a TPM that cannot be asked is no wrong blob", async () => {
  const gone = tpmSecret({ open: () => Promise.reject(Object.assign(new Error(), UNAVAILABLE)) });
  await assert.rejects(seal(gone, BINDING, VALUE), UNAVAILABLE);
});

/** What the firmware derives on one chip for one image with one firmware. */
const derived = (chip: string, measurement: string, tcb: number) => (): Promise<Uint8Array> =>
  Promise.resolve(new Uint8Array(createHmac("sha256", chip).update(`${measurement} ${tcb}`).digest()));

test("SEV-SNP: the derived key opens what it sealed, and nothing of another image, chip, firmware or launch", async () => {
  const platform = snpSecret(derived("chip", "image", 7));
  const blob = await seal(platform, BINDING, VALUE);
  assert.deepEqual(await unseal(snpSecret(derived("chip", "image", 7)), BINDING, blob), VALUE);
  for (const other of [derived("chip2", "image", 7), derived("chip", "image2", 7), derived("chip", "image", 6)])
    assert.equal(await unseal(snpSecret(other), BINDING, blob), null);
  assert.equal(await unseal(platform, { ...BINDING, launchDigest: new Uint8Array(32) }, blob), null);
  for (let at = 0; at < blob.length; at += 1)
    assert.equal(await unseal(platform, BINDING, blob.with(at, (blob[at] ?? 0) ^ 0x80)), null, `byte ${at}`);
  await assert.rejects(seal(platform, BINDING, new Uint8Array(MAX_SEALED_BYTES + 1)), { code: "INTERNAL" });
});

test("SEV-SNP: what is no key is said, never used", async () => {
  for (const answer of [new Uint8Array(), new Uint8Array(31).fill(1), new Uint8Array(32), new Uint8Array(33).fill(1)]) {
    await assert.rejects(
      seal(
        snpSecret(() => Promise.resolve(answer)),
        BINDING,
        VALUE,
      ),
      UNAVAILABLE,
    );
  }
});

test("any bytes are a blob of ours or open nothing", async () => {
  const platform: PlatformSecret = {
    kind: "tpm-policy-pcr",
    make: () => Promise.resolve({ secret: new Uint8Array(32), recipe: new Uint8Array(3) }),
    again: () => Promise.resolve(new Uint8Array(32)),
  };
  const good = await seal(platform, BINDING, VALUE);
  const prefixed = fc.uint8Array({ maxLength: 60 }).map((tail) => Uint8Array.from([...good.subarray(0, 10), ...tail]));
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 100 }), prefixed), async (bytes) =>
      assert.equal(await unseal(platform, BINDING, bytes), null),
    ),
  );
  const large = new Uint8Array(MAX_BLOB_BYTES + 1);
  large.set(good);
  assert.equal(await unseal({ ...platform, again: () => assert.fail("nobody is asked") }, BINDING, large), null);
  assert.deepEqual(
    await unseal({ ...platform, kind: "sev-snp-derived-key" }, BINDING, good),
    null,
    "of another kind of platform",
  );
});

test("a secret is kept only where the platform keeps it as well as it attests", async (t) => {
  assert.equal(derivedKeysAreSound({ cpuid: null }), false);
  assert.equal(derivedKeysAreSound({ cpuid: { family: 0x19, model: 0x01, stepping: 1 } }), false, "Milan");
  assert.equal(derivedKeysAreSound({ cpuid: { family: 0x19, model: 0x11, stepping: 1 } }), true, "Genoa");
  assert.equal(derivedKeysAreSound({ cpuid: { family: 0x1a, model: 0x02, stepping: 1 } }), true, "Turin");
  const access: SealingAccess = { openTpm: () => Promise.reject(new Error("not opened")), derivedKey: null };
  for (const provider of ["tdx", "tpm", "software-only", "sev-snp"] as const)
    assert.equal((await sealingOf(provider, access)).kind, "none", provider);
  assert.equal((await sealingOf("azure-cvm", access)).kind, "tpm-policy-pcr");
  const genuine = sharedFile("evidence/amd/reports/milan-v3-vcek-19ade12877.report.bin");
  if (genuine === null) return t.skip(NO_SHARED_FOLDER);
  const on = async (model: number): Promise<string> => {
    const files = new FakeKernel({
      provider: "sev_guest",
      privilegeFloor: 0,
      report: (inblob) => {
        const report = genuine.slice();
        report.set(inblob, 0x50);
        report.set([0x19, model, 1], CPUID);
        return { outblob: report };
      },
    });
    return (
      await sealingOf("sev-snp", {
        ...access,
        derivedKey: () => Promise.reject(new Error("not asked")),
        tsm: { files, folder: files.folder },
      })
    ).kind;
  };
  assert.equal(await on(0x01), "none");
  assert.equal(await on(0x11), "sev-snp-derived-key");
});
