import { CmcpError } from "@cmcp/boundary";
import { x509Authorities, type TrustBundles } from "@cmcp/identity";
import { BUNDLED_ROOTS, readDomainRoots, readTrustedRoots, type ChainTrust, type TrustedRoots } from "@cmcp/mcp";
import type { ServerTrust } from "@cmcp/catalog";

/** A trust in which authorities vouch. */
type AuthorityTrust = Exclude<ServerTrust, { readonly kind: "pinned" }>;

/** What a server's chain is held to, but for the time. @throws CmcpError `CONFIG_INVALID` for roots that are not known */
export function chainTrust(trust: AuthorityTrust, roots: Pick<ServerRoots, "of">): Omit<ChainTrust, "now"> {
  return trust.kind === "spiffe"
    ? { roots: roots.of(trust), issuerPins: [], spiffeId: trust.id.text }
    : { roots: roots.of(trust), issuerPins: trust.issuerPins };
}

/** The roots that vouch for tool servers: those compiled into Node, and of the launch document those by name and those of trust domains. */
export class ServerRoots {
  readonly #own: Readonly<Record<string, readonly string[]>>;
  /** By the names together, so that servers with the same roots share them. */
  readonly #combined = new Map<string, TrustedRoots>();
  readonly #domains: ReadonlyMap<string, TrustedRoots>;

  /**
   * @param own - certificates of one's own authorities by name (`enclave.server_roots`)
   * @param bundles - bundles of SPIFFE trust domains (`enclave.spiffe_bundles`)
   * @throws CmcpError `CONFIG_INVALID` for what is not the root certificate of an authority
   */
  constructor(own: Readonly<Record<string, readonly string[]>>, bundles: TrustBundles = {}) {
    this.#own = own;
    for (const [name, certificates] of Object.entries(own))
      this.#combined.set(name, readTrustedRoots(`enclave.server_roots.${name}`, certificates));
    this.#domains = new Map(
      Object.entries(bundles).map(([domain, bundle]) => [domain, readDomainRoots(domain, x509Authorities(bundle))]),
    );
  }

  /** The roots that a server is held to, and no other. @throws CmcpError `CONFIG_INVALID` for a name that is not known */
  of(trust: AuthorityTrust): TrustedRoots {
    if (trust.kind === "webpki") return BUNDLED_ROOTS;
    if (trust.kind === "spiffe") return this.#rootsOfDomain(trust.id.trustDomain);
    const key = trust.roots.join(" ");
    const roots =
      this.#combined.get(key) ??
      readTrustedRoots(
        `enclave.server_roots.${key}`,
        trust.roots.flatMap((name) => this.#certificates(name)),
      );
    this.#combined.set(key, roots);
    return roots;
  }

  #rootsOfDomain(domain: string): TrustedRoots {
    const roots = this.#domains.get(domain);
    if (roots === undefined || roots.size === 0)
      throw new CmcpError(
        "CONFIG_INVALID",
        `enclave.spiffe_bundles has no authority of use x509-svid of the trust domain ${domain}`,
      );
    return roots;
  }

  #certificates(name: string): readonly string[] {
    const certificates = Object.hasOwn(this.#own, name) ? this.#own[name] : undefined;
    if (certificates === undefined)
      throw new CmcpError("CONFIG_INVALID", `enclave.server_roots has no roots named ${JSON.stringify(name)}`);
    return certificates;
  }
}
