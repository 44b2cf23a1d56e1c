import { CmcpError, toHex } from "@cmcp/boundary";
import { INJECTION_WEIGHTS } from "./data/injection-weights.ts";
import { SECRET_RULES } from "./data/secret-rules.ts";
import { InjectionModel } from "./injection/model.ts";
import { SecretFinder } from "./secrets/find-secrets.ts";
import { readRules } from "./secrets/rules.ts";

/** Of the UTF-8 bytes of the rules. */
const RULES_SHA256 = "51ac4e659ff69d5d875530304c5597bcc1f963ec675d198bf4ff73a85aef787c";
/** Of the model's bytes. */
const MODEL_SHA256 = "bc646af14189cce16493c9d3f722f4c3e345e897839adb190353cf8dfa8b8f0b";
/** Longest measured data that is hashed at all, in UTF-16 units. */
const MAX_DATA = 512 * 1024;

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** What finds secrets and scores texts, from measured data. */
export interface Detectors {
  readonly secrets: SecretFinder;
  readonly model: InjectionModel;
}

/** The measured data as text: the rules as JSON, the weights as base64. */
export interface DetectorData {
  readonly rules: string;
  readonly weights: string;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

function refuse(what: string): never {
  throw new CmcpError("DETECTOR_DATA_REFUSED", `${what} of this build are not the measured ones`);
}

/**
 * Reads the detectors' data that the build carries.
 *
 * @throws CmcpError `DETECTOR_DATA_REFUSED` when the rules or the model are missing, too long, or have another SHA-256.
 */
export async function loadDetectors(
  data: DetectorData = { rules: SECRET_RULES, weights: INJECTION_WEIGHTS },
): Promise<Detectors> {
  const { rules, weights } = data;
  if (rules.length > MAX_DATA || (await sha256(new TextEncoder().encode(rules))) !== RULES_SHA256)
    refuse("the secret rules");
  if (weights.length > MAX_DATA || !BASE64.test(weights)) refuse("the model's weights");
  const bytes = Uint8Array.from(atob(weights), (unit) => unit.charCodeAt(0));
  if ((await sha256(bytes)) !== MODEL_SHA256) refuse("the model's weights");
  return { secrets: new SecretFinder(readRules(rules)), model: new InjectionModel(bytes) };
}

/**
 * The detectors, or `null` where the build carries no rules for secrets, which only some policies and settings need.
 *
 * @throws CmcpError `DETECTOR_DATA_REFUSED` for data that is there and is not the measured one
 */
export async function carriedDetectors(): Promise<Detectors | null> {
  return SECRET_RULES === "" ? null : await loadDetectors();
}
