import { CmcpError, type JsonValue } from "@cmcp/boundary";
import { catalogHash, credentialNames, type Catalog } from "@cmcp/catalog";
import { catalogVersionsIn, followVersions, type ApprovalTerms } from "@cmcp/catalog/version";
import { definitionOf } from "../servers/server-definition.ts";

/** A catalog in force, and the version it came with; `null` for the launch document's own. */
export interface VersionedCatalog {
  readonly catalog: Catalog;
  readonly version: number | null;
}

/** What later catalogs are held to. */
export interface NextCatalogTerms {
  readonly approval: ApprovalTerms;
  /** The launch document's catalog. */
  readonly first: Catalog;
  /** Loads a catalog as at the start, and holds it to the configuration. */
  readonly load: (raw: JsonValue) => Catalog;
  /** Why a catalog needs what this instance was not started with; `null` if it does not. */
  readonly lacks: (catalog: Catalog) => string | null;
}

/** A catalog as it is written, and the versions that lead to it. */
export interface WrittenCatalog {
  readonly document: JsonValue;
  readonly versions: JsonValue;
}

/** Reads catalogs that take the place of the launch document's. */
export class NextCatalogs {
  readonly #terms: NextCatalogTerms;

  constructor(terms: NextCatalogTerms) {
    this.#terms = terms;
  }

  /**
   * The catalog that comes into force, or the one in force if it is the same. Its approvals are verified before it is loaded.
   * @throws CmcpError as `followVersions` and `loadCatalog`; `CONFIG_INVALID` where it lacks what the configuration names;
   *   `CATALOG_RESTART_REQUIRED` where it needs what only a start can give
   */
  accept({ document, versions }: WrittenCatalog, inForce: VersionedCatalog): VersionedCatalog {
    const { approval, load } = this.#terms;
    const hash = catalogHash(document);
    const last = followVersions(catalogVersionsIn(versions), {
      hash,
      inForce: { hash: inForce.catalog.hash, version: inForce.version },
      terms: approval,
    });
    if (last === null) return inForce;
    const catalog = load(document);
    this.#requireStarted(catalog);
    return { catalog, version: last.version };
  }

  /** @throws CmcpError `CATALOG_RESTART_REQUIRED` */
  #requireStarted(catalog: Catalog): void {
    const { first, lacks } = this.#terms;
    const refuse = (why: string): CmcpError => new CmcpError("CATALOG_RESTART_REQUIRED", why);
    const started = new Set(first.servers.map(definitionOf));
    const other = catalog.servers.find((server) => server.transport === "stdio" && !started.has(definitionOf(server)));
    if (other !== undefined)
      throw refuse(
        `the stdio server ${other.name} is not one of the launch document's catalog; only a start checks its files`,
      );
    const known = credentialNames(first);
    const unknown = [...credentialNames(catalog)].find((name) => !known.has(name));
    if (unknown !== undefined)
      throw refuse(`the credential ${unknown} is not one of the launch document's catalog, so it is not provisioned`);
    const why = lacks(catalog);
    if (why !== null) throw refuse(why);
  }
}
