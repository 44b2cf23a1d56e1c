/** Every single bit that Azure's two chains sign: the hardware's report, the runtime data it binds, the virtual TPM's quote. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test, type TestContext } from "node:test";
import { everyBit } from "../testing/every-bit.ts";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import type { AzureCvmEvidence } from "./evidence.ts";
import { STRICT_AZURE_CVM_POLICY } from "./policy.ts";
import { genuineBundles, type GenuineBundle } from "./testing/genuine.ts";
import { verifyAzureCvm } from "./verify.ts";

/** Bytes of the hardware's report in an HCL report, and where the runtime data begins. */
const SNP_SIGNED = [0x20, 0x20 + 0x2a0] as const;
const RUNTIME_DATA = 0x4d4;

type Change = (evidence: AzureCvmEvidence, bytes: Uint8Array) => AzureCvmEvidence;
const inReport: Change = (evidence, hclReport) => ({ ...evidence, paravisor: { hclReport } });

/** The bundle of this name with its HCL report; skips without the corpus. */
function bundle(t: TestContext, name: string): (GenuineBundle & { readonly hclReport: Uint8Array }) | null {
  if (sharedFolder() === null) {
    t.skip(NO_SHARED_FOLDER);
    return null;
  }
  const found = genuineBundles().find((one) => one.name === name);
  assert.ok(found !== undefined && "hclReport" in found.evidence.paravisor, name);
  return { ...found, hclReport: found.evidence.paravisor.hclReport };
}

async function nothingCanChange(
  { evidence, reportData, at }: GenuineBundle,
  bytes: Uint8Array,
  region: readonly [number, number],
  change: Change,
): Promise<void> {
  const verify = async (changed: Uint8Array) =>
    await verifyAzureCvm({ evidence: change(evidence, changed), reportData }, STRICT_AZURE_CVM_POLICY, at, webcrypto);
  assert.ok((await verify(bytes)).verified !== null, "as it is, it is authentic");
  await everyBit(bytes, region, async (changed, bit) => {
    const { verified, checks } = await verify(changed);
    assert.ok(verified === null && checks.some(({ status }) => status === "failed"), `bit ${bit}`);
  });
}

/** The end of the runtime data, without the zeros that fill its place. */
const runtimeEnd = (hclReport: Uint8Array): number =>
  RUNTIME_DATA + new DataView(Uint8Array.from(hclReport).buffer).getUint32(RUNTIME_DATA - 4, true);

test("no bit of an SEV-SNP machine's report and runtime data can be flipped", async (t) => {
  const genuine = bundle(t, "SNP, numbered form");
  if (genuine === null) return;
  await nothingCanChange(genuine, genuine.hclReport, SNP_SIGNED, inReport);
  await nothingCanChange(genuine, genuine.hclReport, [RUNTIME_DATA, runtimeEnd(genuine.hclReport)], inReport);
});

// The quote of a TDX machine is read and verified as any other (tdx/every-bit.test.ts).
test("no bit of a TDX machine's runtime data can be flipped", async (t) => {
  const genuine = bundle(t, "TDX");
  if (genuine === null) return;
  await nothingCanChange(genuine, genuine.hclReport, [RUNTIME_DATA, runtimeEnd(genuine.hclReport)], inReport);
});

test("no bit of a virtual TPM's quote can be flipped", async (t) => {
  for (const name of ["SNP on Genoa", "TDX"]) {
    const genuine = bundle(t, name);
    if (genuine === null) return;
    const { quote = new Uint8Array() } = genuine.evidence;
    await nothingCanChange(genuine, quote, [0, quote.length], (evidence, changed) => ({ ...evidence, quote: changed }));
  }
});
