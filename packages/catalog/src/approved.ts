import { CmcpError } from "@cmcp/boundary";
import type { Approval } from "./entry/described.ts";
import type { CatalogOptions } from "./options.ts";
import type { CatalogServer } from "./server.ts";

/** What every approved thing has, whatever it is: whose it is, what was approved, and how it is classed. */
export interface Approved {
  readonly server: CatalogServer;
  /** `sha256:` and hex of the approved definition as written. */
  readonly definitionHash: string;
  /** `sha256:` and hex to compare with a live definition's. */
  readonly driftDigest: string;
  readonly complianceDomain: string;
  readonly requiresBaa: boolean;
  /** An entry records no agreement, so what needs one is not covered. */
  readonly baaCovered: boolean;
  readonly sensitivityLevel: string;
  /** `external` for every entry, as it does not say where data goes. `gateway` for what stays here. */
  readonly destinationClass: string;
  /** `async`: a streamed result is inspected as it passes; otherwise, or when absent, whole before it is delivered. */
  readonly inspectionMode?: "buffered" | "async";
}

/**
 * How an entry is classed.
 *
 * @param what - how messages name the entry
 * @throws CmcpError `CATALOG_INVALID` for a domain or label that nothing knows.
 */
export function classOf(
  entry: Approval,
  vocabulary: CatalogOptions["vocabulary"],
  what: string,
): Omit<Approved, "server" | "driftDigest"> {
  const refuse = (why: string): never => {
    throw new CmcpError("CATALOG_INVALID", `${what}: ${why}`);
  };
  if (!vocabulary.hasDomain(entry.compliance_domain))
    refuse(
      `compliance_domain ${entry.compliance_domain} is neither built in nor in the configuration's sensitivity.compliance_domains`,
    );
  if (!vocabulary.has(entry.sensitivity_level))
    refuse(`sensitivity_level ${entry.sensitivity_level} is not in the sensitivity vocabulary`);
  return {
    definitionHash: entry.definition_hash,
    complianceDomain: entry.compliance_domain,
    requiresBaa: entry.requires_baa,
    baaCovered: !entry.requires_baa,
    sensitivityLevel: entry.sensitivity_level,
    destinationClass: "external",
    inspectionMode: entry.inspection_mode,
  };
}
