import { asCmcpError, bytesEqual, CmcpError, toHex } from "@cmcp/boundary";
import type { CheckRecorder } from "../checks/check.ts";
import type { VerifierCrypto } from "../checks/crypto.ts";
import { hash } from "../event-log/hash-algorithm.ts";
import { Certificate } from "../x509/certificate.ts";
import { checkChain } from "../x509/chain.ts";
import type { RevocationList } from "../x509/revocation-list.ts";
import type { TpmEvidence } from "./evidence.ts";
import type { TpmPolicy } from "./policy.ts";
import type { ObjectAttributes, PublicArea } from "./public-area.ts";
import { parseAttestationKey, verifyingKey, type VerifyingKey } from "./public-key.ts";

/** Purposes in certificates of TPM keys (TCG EK Credential Profile, section 3.1): an attestation key, an endorsement key. */
const ATTESTATION_KEY_PURPOSE = "2.23.133.8.3";
const ENDORSEMENT_KEY_PURPOSE = "2.23.133.8.1";

/** A key to verify a quote with, and who certified it. */
export interface BoundKey {
  readonly key: VerifyingKey;
  readonly area: PublicArea | null;
  /** True when a pinned root or the policy itself vouches for the key. */
  readonly trusted: boolean;
}

export interface KeyBindingInput {
  readonly evidence: Pick<TpmEvidence, "attestationKey" | "certificates">;
  readonly lists: readonly RevocationList[];
  readonly policy: TpmPolicy;
  readonly at: Date;
}

/**
 * Finds the attestation key and what binds it: a certificate chain to a pinned root, or the policy's own list.
 * Records the checks `attestation key format`, `attestation key restrictions`, `attestation key certificate`,
 * `attestation key binding` and those of the chain. `null` when there is no usable key at all.
 */
export async function bindAttestationKey(
  crypto: VerifierCrypto,
  recorder: CheckRecorder,
  { evidence, lists, policy, at }: KeyBindingInput,
): Promise<BoundKey | null> {
  const found = findKey(recorder, evidence);
  if (found === null) return null;
  const { key, area, certificates } = found;
  checkRestrictions(recorder, area);
  const digest = toHex(await hash(crypto, "sha256", key.spki));
  if (policy.attestation_key_sha256.includes(digest)) {
    recorder.require("attestation key binding", true, "EVIDENCE_CHAIN_INVALID", {
      passed: `the policy names the key ${digest}`,
      failed: "",
    });
    return { key, area, trusted: true };
  }
  const leaf = certificates.find(({ spki }) => bytesEqual(spki, key.spki));
  if (leaf === undefined) {
    const why =
      certificates.length === 0
        ? "no certificate of the key was given"
        : "no certificate is of the key that is to verify the quote";
    recorder.fail(
      "attestation key binding",
      "EVIDENCE_CHAIN_INVALID",
      `${why}, and the policy does not name the key ${digest}`,
    );
    return { key, area, trusted: false };
  }
  const anchors = policy.root_key_sha256.map((spkiSha256) => ({
    name: `the pinned root ${spkiSha256.slice(0, 16)}`,
    spkiSha256,
  }));
  const path = await checkChain(crypto, recorder, {
    name: "attestation key",
    leaf,
    intermediates: certificates,
    anchors,
    at,
    lists,
    staleLists: policy.stale_lists,
  });
  const fit = checkPurpose(recorder, leaf);
  return { key, area, trusted: path !== null && fit };
}

interface FoundKey {
  readonly key: VerifyingKey;
  readonly area: PublicArea | null;
  readonly certificates: readonly Certificate[];
}

function findKey(recorder: CheckRecorder, evidence: KeyBindingInput["evidence"]): FoundKey | null {
  const check = "attestation key format";
  try {
    const found = readKey(evidence);
    recorder.require(check, true, "EVIDENCE_MALFORMED", {
      passed: found.key.kind === "rsa" ? `RSA of ${found.key.modulusBytes * 8} bits` : `ECC over ${found.key.curve}`,
      failed: "",
    });
    return found;
  } catch (thrown) {
    const { code, message } = asCmcpError(thrown, "EVIDENCE_MALFORMED", "the key cannot be read");
    recorder.fail(check, code, message);
    return null;
  }
}

/** The key of the evidence; without one that of the first certificate. */
function readKey({ attestationKey, certificates }: KeyBindingInput["evidence"]): FoundKey {
  const parsed = certificates.map((der) => Certificate.parse(der));
  if (attestationKey !== undefined) return { ...parseAttestationKey(attestationKey), certificates: parsed };
  const [leaf] = parsed;
  if (leaf === undefined)
    throw new CmcpError("EVIDENCE_CHAIN_INVALID", "neither an attestation key nor its certificate was given");
  return { key: verifyingKey(leaf.spki), area: null, certificates: parsed };
}

/** What a public area must say of an attestation key (part 1, section 31: a key that signs only what the TPM made). */
const REQUIRED: readonly (keyof ObjectAttributes)[] = [
  "restricted",
  "sign",
  "fixedTpm",
  "fixedParent",
  "sensitiveDataOrigin",
];

export function checkRestrictions(recorder: CheckRecorder, area: PublicArea | null): void {
  const check = "attestation key restrictions";
  if (area === null) return recorder.notPerformed(check, "a bare public key does not say what the TPM lets it sign");
  const missing = REQUIRED.filter((attribute) => !area.attributes[attribute]);
  const wrong = area.attributes.decrypt
    ? [...missing.map((name) => `not ${name}`), "decrypt"]
    : missing.map((name) => `not ${name}`);
  recorder.require(check, wrong.length === 0, "EVIDENCE_POLICY_VIOLATION", {
    passed: "the key was made in the TPM, stays there and signs only what the TPM made",
    failed: `the key is ${wrong.join(", ")}`,
  });
}

/** An endorsement key decrypts and a CA signs certificates: neither may pass for a key that quotes. */
function checkPurpose(recorder: CheckRecorder, leaf: Certificate): boolean {
  const uses = leaf.keyUsage;
  const purposes = leaf.extendedKeyUsage;
  const signs = uses === undefined || uses.has("digitalSignature");
  // Google marks its attestation keys with the purpose of endorsement keys; the key usage tells the two apart.
  const attests =
    purposes === undefined ||
    purposes.has(ATTESTATION_KEY_PURPOSE) ||
    (purposes.has(ENDORSEMENT_KEY_PURPOSE) && uses?.has("digitalSignature") === true);
  const other = leaf.isCa
    ? "a certificate authority"
    : !signs
      ? "not for signatures"
      : attests
        ? ""
        : "for another purpose";
  return recorder.require("attestation key certificate", other === "", "EVIDENCE_CHAIN_INVALID", {
    passed: `a certificate of a signing key, ${leaf.subjectText || "without a name"}`,
    failed: `the certificate is ${other}`,
  });
}
