import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import type { z } from "zod";
import type { Check } from "../../checks/check.ts";
import { tdxPolicySchema } from "../policy.ts";
import {
  level,
  makeCollateral,
  makeQuote,
  ROOT_KEY_SHA256,
  tcbInfo,
  type CollateralOptions,
  type QuoteOptions,
} from "./platform.ts";
import { verifyTdx, type TdxInput } from "../verify.ts";

/** Within the validity of everything the test platform has. */
export const AT = new Date("2026-01-01T00:00:00Z");

export type PolicyOptions = z.input<typeof tdxPolicySchema>;

/** What is verified, where it differs from a sound quote with current collateral; without collateral where it is `null`. */
export interface Case {
  readonly quote?: QuoteOptions;
  readonly collateral?: CollateralOptions | null;
  readonly policy?: PolicyOptions;
  readonly input?: Partial<TdxInput>;
  readonly at?: Date;
}

/** Verifies a case under a policy that trusts the test platform's root. */
export async function verify({ quote = {}, collateral = {}, policy = {}, input = {}, at = AT }: Case = {}) {
  const given = {
    quote: await makeQuote(quote),
    ...(collateral === null ? {} : { collateral: [await makeCollateral(collateral)] }),
    ...input,
  };
  return verifyTdx(given, tdxPolicySchema.parse({ trust_anchors: [ROOT_KEY_SHA256], ...policy }), at, webcrypto);
}

/** The one check of this name. */
export const find = (checks: readonly Check[], name: string): Check => {
  const [check, ...others] = checks.filter((one) => one.name === name);
  assert.ok(
    check !== undefined && others.length === 0,
    `one check «${name}» among ${checks.map((one) => one.name).join(", ")}`,
  );
  return check;
};

/** Runs a case in which exactly these checks fail, each by its code. */
export async function fails(
  options: Case,
  expected: Readonly<Record<string, string>>,
): Promise<Awaited<ReturnType<typeof verify>>> {
  const result = await verify(options);
  assert.deepEqual(
    Object.fromEntries(result.checks.filter(({ status }) => status === "failed").map(({ name, code }) => [name, code])),
    expected,
  );
  return result;
}

/** Runs a case in which no check fails and these are not performed. */
export async function notPerformed(options: Case, names: readonly string[]): Promise<void> {
  const { checks } = await fails(options, {});
  for (const name of names) assert.equal(find(checks, name).status, "not-performed", name);
}

/** A register of 48 bytes, each of this value. */
export const register = (value: number): Uint8Array => new Uint8Array(48).fill(value);
export const hex = (value: number): string => Buffer.from(register(value)).toString("hex");

/** Collateral under which the test platform is out of date. */
export const OUTDATED: CollateralOptions = {
  info: tcbInfo({
    tcbLevels: [
      level([9, 11, [6, 0, 5]], "UpToDate"),
      level([5, 11, [6, 0, 5]], "OutOfDate", "2025-10-01T00:00:00Z", ["INTEL-SA-00009"]),
    ],
  }),
};

const attributes = (...bits: readonly number[]): Uint8Array =>
  Uint8Array.from(
    new Uint8Array(new BigUint64Array([bits.reduce((all, bit) => all | (1n << BigInt(bit)), 0n)]).buffer),
  );
/** A TD whose attributes are exactly these bits. */
export const withAttributes = (...bits: readonly number[]): Case => ({ quote: { body: { 120: attributes(...bits) } } });
