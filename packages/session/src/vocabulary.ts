import { CmcpError } from "@cmcp/boundary";

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

/**
 * The sensitivity labels and their order.
 *
 * Labels of one rank are equally sensitive. Of two such labels {@link max} returns the first in code-unit order. So labels are totally
 * ordered by (rank, name), and the maximum of several labels does not depend on their order.
 */
export class Vocabulary {
  readonly #ranks: ReadonlyMap<string, number>;

  /**
   * @param extra additional labels of the deployment, with their ranks
   * @throws CmcpError `CONFIG_INVALID` for a built-in name, a malformed name or rank, or too many
   */
  constructor(extra: Readonly<Record<string, number>> = {}) {
    const added = Object.entries(extra);
    if (added.length > MAX_EXTRA_LABELS)
      throw new CmcpError("CONFIG_INVALID", `more than ${MAX_EXTRA_LABELS} sensitivity labels added`);
    for (const [label, rank] of added) checkExtra(label, rank);
    this.#ranks = new Map([...Object.entries(SENSITIVITY_RANKS), ...added]);
  }

  /** Whether the label is known. */
  has(label: string): boolean {
    return this.#ranks.has(label);
  }

  /** Every known label. */
  get labels(): readonly string[] {
    return [...this.#ranks.keys()];
  }

  /** The most sensitive label; of several with one rank, the one that {@link max} returns. */
  get highest(): string {
    return this.labels.reduce((highest, label) => this.max(highest, label), LOWEST_LABEL);
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

  /** The more sensitive of two labels; of two with one rank, the first in code-unit order. @throws CmcpError `INTERNAL` for an unknown label */
  max(a: string, b: string): string {
    const difference = this.rank(a) - this.rank(b);
    if (difference !== 0) return difference > 0 ? a : b;
    return a <= b ? a : b;
  }

  /** The least sensitivity of data of a compliance domain. @throws CmcpError `INTERNAL` for an unknown domain */
  floorOfDomain(domain: string): string {
    const floor = Object.hasOwn(DOMAIN_FLOORS, domain) ? DOMAIN_FLOORS[domain] : undefined;
    if (floor === undefined) throw new CmcpError("INTERNAL", "a compliance domain is not known");
    return floor;
  }
}
