import { CmcpError } from "@cmcp/boundary";
import type { Catalog } from "@cmcp/catalog";
import type { Provision } from "@cmcp/launch";

/** What the gateway proves itself with to tool servers, by the names the catalog gives. Never an agent's token, never in a record. */
export class Credentials {
  readonly #wanted: ReadonlySet<string>;
  #byName: ReadonlyMap<string, string> = new Map();

  constructor(catalog: Pick<Catalog, "servers">) {
    this.#wanted = new Set(catalog.servers.flatMap(({ settings }) => settings?.credential ?? []));
  }

  /** Refuses a message that lacks a credential of the catalog or brings one that no server is sent. @throws CmcpError `CREDENTIAL_NOT_PROVISIONED`, `CONFIG_INVALID` */
  assertAcceptable({ credentials = [] }: Provision): void {
    const brought = new Set(credentials.map(({ name }) => name));
    const missing = [...this.#wanted].find((name) => !brought.has(name));
    if (missing !== undefined) throw new CmcpError("CREDENTIAL_NOT_PROVISIONED", `the catalog names the credential ${missing}, which was not provisioned`);
    const unknown = [...brought].find((name) => !this.#wanted.has(name));
    if (unknown !== undefined) throw new CmcpError("CONFIG_INVALID", `no server of the catalog is sent the credential ${unknown}`);
  }

  /** Takes the credentials of an acceptable message in place of those before. */
  provision({ credentials = [] }: Provision): void {
    this.#byName = new Map(credentials.map(({ name, value }) => [name, value]));
  }

  /** @throws CmcpError `CREDENTIAL_NOT_PROVISIONED` before any was */
  value(name: string): string {
    const value = this.#byName.get(name);
    if (value === undefined) throw new CmcpError("CREDENTIAL_NOT_PROVISIONED", `the credential ${name} was not provisioned`, { detail: { sent: 0 } });
    return value;
  }
}
