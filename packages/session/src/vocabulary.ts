import { CmcpError } from "@cmcp/boundary";
import { joinCompartments, LOWEST, type Compartments, type Label } from "./label.ts";

/** Ranks of the built-in sensitivity labels. A deployment may add labels; these never change. */
export const SENSITIVITY_RANKS: Readonly<Record<string, number>> = Object.freeze({
  public: 0,
  pii: 1,
  confidential: 2,
  hipaa_phi: 3,
  mnpi: 3,
  trade_secret: 3,
});

/** The least sensitivity that data of a compliance domain has. */
export const DOMAIN_FLOORS: Readonly<Record<string, string>> = Object.freeze({
  hipaa_phi: "hipaa_phi",
  pci_data: "confidential",
  mnpi: "mnpi",
  pii: "pii",
  trade_secret: "trade_secret",
  internal: "confidential",
  external: "public",
  public: "public",
});

/** Of built-in labels with one rank, the order in which the linear label is chosen. */
const TIE_ORDER: readonly string[] = ["hipaa_phi", "mnpi", "trade_secret"];

/** Most compliance domains that a deployment may add. */
export const MAX_EXTRA_DOMAINS = 256;
/** Most labels that a deployment may add. */
export const MAX_EXTRA_LABELS = 256;
/** Highest rank a deployment may give a label. */
export const MAX_RANK = 1000;
/** The lowest label, at which every principal starts. */
export const LOWEST_LABEL = "public";

const LABEL = /^[a-z0-9][a-z0-9_.-]{0,63}$/;

function checkExtra(label: string, rank: number): void {
  if (Object.hasOwn(SENSITIVITY_RANKS, label)) {
    throw new CmcpError("CONFIG_INVALID", `sensitivity label ${label} is built in; its rank cannot be changed`);
  }
  if (!LABEL.test(label)) {
    throw new CmcpError(
      "CONFIG_INVALID",
      "a sensitivity label is 1 to 64 of a-z, 0-9, '_', '.', '-' and starts with a letter or digit",
    );
  }
  if (!Number.isInteger(rank) || rank < 0 || rank > MAX_RANK) {
    throw new CmcpError("CONFIG_INVALID", `sensitivity label ${label} needs an integer rank from 0 to ${MAX_RANK}`);
  }
}

/** Domains of a deployment, checked. */
function extraDomains(domains: Readonly<Record<string, boolean>>): ReadonlyMap<string, boolean> {
  const added = Object.entries(domains);
  if (added.length > MAX_EXTRA_DOMAINS)
    throw new CmcpError("CONFIG_INVALID", `more than ${MAX_EXTRA_DOMAINS} compliance domains added`);
  for (const [domain] of added) {
    if (Object.hasOwn(DOMAIN_FLOORS, domain))
      throw new CmcpError("CONFIG_INVALID", `compliance domain ${domain} is built in and cannot be changed`);
    if (!LABEL.test(domain))
      throw new CmcpError(
        "CONFIG_INVALID",
        "a compliance domain is 1 to 64 of a-z, 0-9, '_', '.', '-' and starts with a letter or digit",
      );
  }
  return new Map(added);
}

/** What a deployment adds to the built-in labels and domains, spelled as the configuration's `sensitivity`. */
export interface VocabularyExtras {
  /** Labels with their ranks. */
  readonly vocabulary?: Readonly<Record<string, number>>;
  /** Compliance domains, and whether each is regulated: a call that leaves a regulated domain is recorded as a crossing. */
  readonly compliance_domains?: Readonly<Record<string, boolean>> | undefined;
}

/**
 * The sensitivity labels. Each but `public` is a compartment. Data can be in several compartments, and what was seen is their union.
 *
 * Other tools read one label: that of the highest rank. Of several with that rank it is the first of {@link TIE_ORDER}, then the
 * first in code-unit order. So labels are totally ordered, and the maximum of several does not depend on their order.
 */
export class Vocabulary {
  readonly #ranks: ReadonlyMap<string, number>;
  readonly #domains: ReadonlyMap<string, boolean>;

  /** @throws CmcpError `CONFIG_INVALID` for a built-in name, a malformed name or rank, or too many */
  constructor({ vocabulary: labels = {}, compliance_domains: domains = {} }: VocabularyExtras = {}) {
    const added = Object.entries(labels);
    if (added.length > MAX_EXTRA_LABELS)
      throw new CmcpError("CONFIG_INVALID", `more than ${MAX_EXTRA_LABELS} sensitivity labels added`);
    for (const [label, rank] of added) checkExtra(label, rank);
    this.#ranks = new Map([...Object.entries(SENSITIVITY_RANKS), ...added]);
    this.#domains = extraDomains(domains);
  }

  /** Whether the label is known. */
  has(label: string): boolean {
    return this.#ranks.has(label);
  }

  /** Every known label. */
  get labels(): readonly string[] {
    return [...this.#ranks.keys()];
  }

  /** The label above every other: all compartments, and untrusted. */
  get highest(): Label {
    return { compartments: this.compartmentsOf(this.labels), integrity: "untrusted" };
  }

  /** The compartments of labels. A label that is not known counts as all of them. */
  compartmentsOf(labels: Iterable<string>): Compartments {
    const names = new Set<string>();
    for (const label of labels) {
      if (!this.has(label)) return this.compartmentsOf(this.labels);
      if (label !== LOWEST_LABEL) names.add(label);
    }
    return joinCompartments(LOWEST.compartments, [...names]);
  }

  /**
   * The one label of several compartments that other tools read; `public` if there are none.
   * @throws CmcpError `INTERNAL` for an unknown one
   */
  linear(compartments: Compartments): string {
    return compartments.reduce((highest, label) => this.max(highest, label), LOWEST_LABEL);
  }

  /**
   * The rank of a label.
   * @throws CmcpError `INTERNAL` for an unknown label; check labels from outside with {@link has} first
   */
  rank(label: string): number {
    const rank = this.#ranks.get(label);
    if (rank === undefined) throw new CmcpError("INTERNAL", "a sensitivity label is not in the vocabulary");
    return rank;
  }

  /** The more sensitive of two labels; see the class for two with one rank. @throws CmcpError `INTERNAL` for an unknown label */
  max(a: string, b: string): string {
    const difference = this.rank(a) - this.rank(b) || tieRank(b) - tieRank(a);
    if (difference !== 0) return difference > 0 ? a : b;
    return a <= b ? a : b;
  }

  /** Whether the compliance domain is known. */
  hasDomain(domain: string): boolean {
    return Object.hasOwn(DOMAIN_FLOORS, domain) || this.#domains.has(domain);
  }

  /**
   * Whether a call that leaves the domain is a crossing: all but those whose data is public.
   * @throws CmcpError `INTERNAL` for an unknown domain
   */
  isRegulated(domain: string): boolean {
    return this.#domains.get(domain) ?? this.floorOfDomain(domain) !== LOWEST_LABEL;
  }

  /**
   * The least sensitivity of data of a compliance domain; a deployment's own has none.
   * @throws CmcpError `INTERNAL` for an unknown domain
   */
  floorOfDomain(domain: string): string {
    if (this.#domains.has(domain)) return LOWEST_LABEL;
    const floor = Object.hasOwn(DOMAIN_FLOORS, domain) ? DOMAIN_FLOORS[domain] : undefined;
    if (floor === undefined) throw new CmcpError("INTERNAL", "a compliance domain is not known");
    return floor;
  }
}

/** Position of a label among those of its rank; lower goes first. */
function tieRank(label: string): number {
  const at = TIE_ORDER.indexOf(label);
  return at === -1 ? TIE_ORDER.length : at;
}
