import { SOFTWARE_FIRMWARE, SOFTWARE_MEASUREMENT } from "./constants.ts";

declare const verified: unique symbol;

/** A software-only report whose form was checked. It carries no assurance, and says so in its type. */
export interface VerifiedSoftwareReport {
  readonly [verified]: true;
  readonly platform: "software-only";
  readonly assurance: "none";
  readonly measurement: string;
}

/** What a claim says about a software-only platform. */
export interface SoftwareStatement {
  readonly measurement: string;
  /** The firmware text, without what the gateway appends about itself. */
  readonly firmware: string;
  /** True when the statement carries raw evidence, signatures or certificates. */
  readonly hasEvidence: boolean;
}

/** Checks that a software-only statement does not look like more than it is; the reason when it does. */
export function verifySoftware(statement: SoftwareStatement): VerifiedSoftwareReport | { readonly why: string } {
  if (statement.measurement !== SOFTWARE_MEASUREMENT)
    return { why: "software-only measures nothing, yet a measurement is given" };
  if (statement.firmware !== SOFTWARE_FIRMWARE) return { why: "the firmware text does not say that this is software" };
  if (statement.hasEvidence) return { why: "software-only has no evidence, yet some is given" };
  return { platform: "software-only", assurance: "none", measurement: statement.measurement } as VerifiedSoftwareReport;
}
