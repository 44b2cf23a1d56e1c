import assert from "node:assert/strict";
import { hash, webcrypto } from "node:crypto";
import { test } from "node:test";
import type { Check } from "../checks/check.ts";
import {
  CA_USES,
  FROM,
  issue,
  issueList,
  NOW,
  SIGNS_DATA,
  type CertificateOptions,
  type Issued,
} from "../testing/authority.ts";
import type { TpmEvidence } from "./evidence.ts";
import { STRICT_TPM_POLICY } from "./policy.ts";
import {
  ATTESTATION_KEY_ATTRIBUTES,
  sampleEvidence,
  sampleKey,
  samplePublicArea,
  type SampleKey,
} from "./testing/sample-quote.ts";
import { verifyTpm } from "./verify.ts";

const KEY = sampleKey("ecdsa");
const VALUES = new Map([[0, new Uint8Array(32)]]);

async function keysOf({ privateKey, spki }: SampleKey): Promise<webcrypto.CryptoKeyPair> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const pkcs8 = Uint8Array.from(privateKey.export({ type: "pkcs8", format: "der" }));
  return {
    publicKey: await webcrypto.subtle.importKey("spki", Uint8Array.from(spki), algorithm, true, ["verify"]),
    privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]),
  };
}

async function authority(): Promise<{ root: Issued; spki: string }> {
  const root = await issue({ subject: "CN=root", ca: true, uses: CA_USES });
  return { root, spki: hash("sha256", new Uint8Array(await webcrypto.subtle.exportKey("spki", root.keys.publicKey))) };
}

async function certify(root: Issued, options: Partial<CertificateOptions> = {}): Promise<Uint8Array> {
  return (await issue({ subject: "CN=key", uses: SIGNS_DATA, keys: await keysOf(KEY), ...options }, root)).der;
}

async function checksOf(
  evidence: Partial<TpmEvidence>,
  roots: readonly string[],
  lists: readonly Uint8Array[] = [],
  at: Date = NOW,
): Promise<{ readonly authentic: boolean; readonly checks: readonly Check[] }> {
  const policy = { ...STRICT_TPM_POLICY, root_key_sha256: [...roots], selections: [[0]] };
  const { verified, checks } = await verifyTpm(
    { evidence: { ...sampleEvidence(KEY, VALUES), ...evidence }, revocationLists: lists },
    policy,
    at,
    webcrypto,
  );
  return { authentic: verified !== null, checks };
}

const failures = (checks: readonly Check[]): string[] =>
  checks.filter(({ status }) => status === "failed").map(({ name, code }) => `${name}: ${code ?? ""}`);

test("a key whose certificate leads to a pinned root is bound", async () => {
  const { root, spki } = await authority();
  const certificates = [await certify(root), root.der];
  const { authentic, checks } = await checksOf({ certificates }, [spki]);
  assert.ok(authentic);
  assert.deepEqual(failures(checks), []);
  assert.ok((await checksOf({ certificates: certificates.toReversed() }, [spki])).authentic);
  const { attestationKey: _, ...without } = sampleEvidence(KEY, VALUES);
  assert.ok((await checksOf({ ...without, certificates }, [spki])).authentic);
});

test("a chain to a root that is not pinned binds nothing, its own root included", async () => {
  const { root } = await authority();
  const other = await authority();
  const { authentic, checks } = await checksOf({ certificates: [await certify(root), root.der] }, [other.spki]);
  assert.ok(!authentic);
  assert.deepEqual(failures(checks), ["attestation key chain: EVIDENCE_ROOT_NOT_TRUSTED"]);
  assert.ok(!(await checksOf({ certificates: [await certify(root), root.der] }, [])).authentic);
});

test("a certificate for something else than an attestation key binds nothing", async () => {
  const { root, spki } = await authority();
  const purposes = async (...oids: readonly string[]): Promise<readonly string[]> => {
    const { ExtendedKeyUsageExtension } = await import("@peculiar/x509");
    const extensions = oids.length === 0 ? [] : [new ExtendedKeyUsageExtension([...oids])];
    const { checks } = await checksOf({ certificates: [await certify(root, { extensions }), root.der] }, [spki]);
    return failures(checks);
  };
  assert.deepEqual(await purposes("2.23.133.8.3"), []);
  assert.deepEqual(await purposes("1.3.6.1.4.1.311.10.3.12", "2.23.133.8.3"), []);
  assert.deepEqual(await purposes("2.23.133.8.1"), [], "Google's attestation keys");
  const refused = ["attestation key certificate: EVIDENCE_CHAIN_INVALID"];
  assert.deepEqual(await purposes("1.3.6.1.5.5.7.3.2"), refused);
  const cases: readonly Partial<CertificateOptions>[] = [{ uses: CA_USES }, { ca: true, uses: CA_USES | SIGNS_DATA }];
  for (const options of cases) {
    const { authentic, checks } = await checksOf({ certificates: [await certify(root, options), root.der] }, [spki]);
    assert.ok(!authentic);
    assert.deepEqual(failures(checks), refused);
  }
});

test("a revoked or expired certificate is reported", async () => {
  const { root, spki } = await authority();
  const certificates = [await certify(root, { serial: "1234" }), root.der];
  const listed = async (serials: readonly string[], at: Date = NOW): Promise<string[]> =>
    failures((await checksOf({ certificates }, [spki], [await issueList(root, { serials })], at)).checks);
  assert.deepEqual(await listed([]), []);
  assert.deepEqual(await listed(["1234"]), ["attestation key revocation: EVIDENCE_REVOKED"]);
  const unreadable = await checksOf({ certificates }, [spki], [Uint8Array.of(0x30, 0)]);
  assert.ok(!unreadable.authentic);
  assert.deepEqual(failures(unreadable.checks), ["revocation list format: EVIDENCE_COLLATERAL_INVALID"]);
  const list = await issueList(root);
  assert.deepEqual(
    failures(
      (
        await checksOf(
          { certificates },
          [spki],
          Array.from({ length: 9 }, () => list),
        )
      ).checks,
    ),
    ["revocation list format: EVIDENCE_COLLATERAL_INVALID"],
  );
  const late = new Date(FROM.getTime() - 1);
  assert.ok((await listed([], late)).includes("attestation key validity: EVIDENCE_EXPIRED"));
});

test("a public area must be that of a restricted signing key made in the TPM", async () => {
  const outcome = async (attributes: number): Promise<string[]> => {
    const policy = { ...STRICT_TPM_POLICY, attestation_key_sha256: [hash("sha256", KEY.spki)], selections: [[0]] };
    const evidence = { ...sampleEvidence(KEY, VALUES), attestationKey: samplePublicArea(KEY, attributes) };
    return failures((await verifyTpm({ evidence }, policy, NOW, webcrypto)).checks);
  };
  assert.deepEqual(await outcome(ATTESTATION_KEY_ATTRIBUTES), []);
  // fixedTPM, fixedParent, sensitiveDataOrigin, restricted, sign; and decrypt, which must not be set.
  for (const bit of [1, 4, 5, 16, 17, 18])
    assert.deepEqual(
      await outcome(ATTESTATION_KEY_ATTRIBUTES ^ (1 << bit)),
      ["attestation key restrictions: EVIDENCE_POLICY_VIOLATION"],
      `bit ${bit}`,
    );
});

test("a key signs by the scheme it was made for, and by no other", async () => {
  const rsa = sampleKey("rsassa");
  const policy = { ...STRICT_TPM_POLICY, attestation_key_sha256: [hash("sha256", rsa.spki)], selections: [[0]] };
  const outcome = async (made: SampleKey, signs: SampleKey): Promise<string[]> => {
    const evidence = {
      ...sampleEvidence(signs, VALUES),
      attestationKey: samplePublicArea(made, ATTESTATION_KEY_ATTRIBUTES),
    };
    return failures((await verifyTpm({ evidence }, policy, NOW, webcrypto)).checks);
  };
  assert.deepEqual(await outcome(rsa, rsa), []);
  assert.deepEqual(await outcome({ ...rsa, scheme: "rsapss" }, rsa), ["quote signature: EVIDENCE_SIGNATURE_INVALID"]);
  assert.deepEqual(await outcome({ ...rsa, hash: "sha384" }, rsa), ["quote signature: EVIDENCE_SIGNATURE_INVALID"]);
});
