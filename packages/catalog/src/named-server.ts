import { CmcpError, isJsonObject, type JsonValue } from "@cmcp/boundary";
import * as z from "zod";
import { authorizationSchema, readAuthorization } from "./authorization.ts";
import { readShape } from "./entry/described.ts";
import { credentialName } from "./entry/secrets.ts";
import { fingerprint, integrity, spawn, trust, visibleName } from "./entry/shape.ts";
import { refuseUnsupportedSettings } from "./entry/unsupported.ts";
import { provenanceSchema, readProvenance } from "./provenance/record.ts";
import { readServer, sameServer, type CatalogServer } from "./server.ts";

const named = z.strictObject({
  name: visibleName
    .max(64)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must be letters, digits, dots, underscores and hyphens"),
  display_name: z.string().min(1).max(256).optional(),
  url: z.string().min(1).max(2_048).optional(),
  tls_fingerprint: fingerprint.optional(),
  ...trust,
  transport: z.enum(["http-sse", "streamable-http", "stdio"]).default("streamable-http"),
  spawn: spawn.optional(),
  integrity,
  era: z.enum(["auto", "modern", "legacy"]).default("auto"),
  credential: credentialName.optional(),
  // Instead of a credential: tokens that the enclave gets and renews itself.
  authorization: authorizationSchema.optional(),
  // Not for every server: one that asks for certificates of its own authority refuses this one.
  client_certificate: z.boolean().default(false),
  provenance: provenanceSchema.optional(),
});

function collision(what: string, left: CatalogServer, right: CatalogServer): CmcpError {
  return new CmcpError(
    "CATALOG_NAME_COLLISION",
    `${what}: ${left.displayName} (${left.identity}) and ${right.displayName} (${right.identity})`,
  );
}

/** Where a server is; a URL however it is written. */
function addressOf(server: CatalogServer): string {
  return "url" in server ? server.url.href : server.identity;
}

/**
 * The named servers of a catalog, by name. One address has one name and one name has one address.
 *
 * @throws CmcpError `CATALOG_INVALID`; `CATALOG_NAME_COLLISION`, naming both servers; `CONFIG_NOT_SUPPORTED` for settings refused by name.
 */
export function readNamedServers(
  raw: readonly JsonValue[],
  developmentMode: boolean,
): ReadonlyMap<string, CatalogServer> {
  const byName = new Map<string, CatalogServer>();
  const byAddress = new Map<string, CatalogServer>();
  for (const [index, entry] of raw.entries()) {
    const label = isJsonObject(entry) && typeof entry.name === "string" ? entry.name.slice(0, 64) : `#${index}`;
    const {
      name,
      display_name: displayName = name,
      era,
      credential = null,
      authorization: written,
      client_certificate: clientCertificate,
      provenance: signed,
      ...rest
    } = readShape(named, entry, `catalog server ${label}`);
    const authorization = written === undefined ? null : readAuthorization(name, written, developmentMode);
    const settings = { name, era, credential, authorization, clientCertificate };
    refuseUnsupportedSettings(settings, rest);
    const known = {
      ...readServer(
        `catalog server ${name}`,
        { ...rest, display_name: displayName, rotation_mode: "key-pinned" },
        developmentMode,
      ),
      name,
    };
    const provenance = signed === undefined ? null : readProvenance(signed, known);
    const server = { ...known, settings: { ...settings, provenance } };
    const [sameName, sameAddress] = [byName.get(name), byAddress.get(addressOf(server))];
    if (sameName !== undefined) throw collision(`duplicate server name ${name}`, sameName, server);
    if (sameAddress !== undefined)
      throw collision(`one server has two names, ${sameAddress.settings?.name} and ${name}`, sameAddress, server);
    byName.set(name, server);
    byAddress.set(addressOf(server), server);
  }
  return byName;
}

/** Every server of a catalog once, by identity: the named ones first, then those that only tools bring along. */
export class ServerRegister {
  readonly #byName: ReadonlyMap<string, CatalogServer>;
  readonly #byIdentity = new Map<string, CatalogServer>();

  constructor(named: ReadonlyMap<string, CatalogServer>) {
    this.#byName = named;
    for (const server of named.values()) this.#byIdentity.set(server.identity, server);
  }

  /** The server an entry refers to by name. @throws CmcpError `CATALOG_INVALID` */
  named(name: string, what: string): CatalogServer {
    const server = this.#byName.get(name);
    if (server === undefined)
      throw new CmcpError("CATALOG_INVALID", `${what}: server ${name} is not in the catalog's servers`);
    return server;
  }

  /**
   * The one object for a server that a tool entry brings along.
   * @throws CmcpError `CATALOG_INVALID` when it differs from what is known of it
   */
  of(server: CatalogServer): CatalogServer {
    const known = this.#byIdentity.get(server.identity) ?? server;
    if (!sameServer(known, server))
      throw new CmcpError(
        "CATALOG_INVALID",
        `server ${server.identity} is listed with two different pins, transports or integrities, or ways to trust it; give it the same in every entry`,
      );
    this.#byIdentity.set(server.identity, known);
    return known;
  }

  all(): readonly CatalogServer[] {
    return [...this.#byIdentity.values()];
  }
}
