import { CmcpError, fromBase64Url, untrusted, type JsonLimits, schemaProblem } from "@cmcp/boundary";
import * as z from "zod";
import { readJson } from "../bytes/json.ts";
import { rsaKeyInfo } from "../tpm/rsa-key-info.ts";
import { verifyingKey, type VerifyingKey } from "../tpm/public-key.ts";

/** Begins every error message. */
const STRUCTURE = "runtime data";
const LIMITS: JsonLimits = { maxBytes: 16 * 1024, maxDepth: 6, maxItems: 256 };
/** Key identifier of the virtual TPM's attestation key. */
const ATTESTATION_KEY_ID = "HCLAkPub";

const number = z.string().min(1).max(1024);
const key = z.looseObject({ kid: z.string().max(64), kty: z.literal("RSA"), e: number, n: number });
const schema = z.looseObject({
  keys: z.array(key).min(1).max(8),
  "user-data": z
    .string()
    .regex(/^(?:[0-9a-fA-F]{2})*$/)
    .max(256)
    .optional(),
});

/** The runtime data of a paravisor, as far as a verifier needs it. */
export interface RuntimeData {
  /** HCLAkPub, which signs the quotes of the virtual TPM. */
  readonly attestationKey: VerifyingKey;
  /** What the guest asked to have in here, hex; zeros when it did not. */
  readonly userData: string;
}

/** Reads runtime data. @throws CmcpError `EVIDENCE_MALFORMED`, `EVIDENCE_POLICY_VIOLATION` for a key that is too weak. */
export function parseRuntimeData(bytes: Uint8Array): RuntimeData {
  const parsed = schema.safeParse(readJson(untrusted(bytes), LIMITS, STRUCTURE));
  if (!parsed.success) throw malformed(schemaProblem(parsed.error).text);
  const [only, ...others] = parsed.data.keys.filter(({ kid }) => kid === ATTESTATION_KEY_ID);
  if (only === undefined || others.length > 0)
    throw malformed(`${others.length === 0 ? "no" : "more than one"} key ${ATTESTATION_KEY_ID}`);
  return { attestationKey: rsaKey(only.n, only.e), userData: parsed.data["user-data"] ?? "" };
}

function malformed(why: string): CmcpError {
  return new CmcpError("EVIDENCE_MALFORMED", `${STRUCTURE}: ${why}`);
}

/** A key from a JWK's modulus and exponent (RFC 7518 section 6.3.1). */
function rsaKey(n: string, e: string): VerifyingKey {
  const modulus = fromBase64Url(n);
  const exponent = fromBase64Url(e);
  if (modulus === undefined || exponent === undefined) throw malformed("a number of the key is not base64url");
  return verifyingKey(rsaKeyInfo(modulus, exponent));
}
