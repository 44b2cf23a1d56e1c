import { CmcpError } from "@cmcp/boundary";
import { requireCredentials, type Catalog } from "@cmcp/catalog";
import type { Provision } from "@cmcp/launch";

/** What the gateway proves itself with to tool servers, by the names the catalog gives. Never an agent's token, never in a record. */
export class Credentials {
  readonly #catalog: Pick<Catalog, "servers">;
  #byName: ReadonlyMap<string, string> = new Map();

  constructor(catalog: Pick<Catalog, "servers">) {
    this.#catalog = catalog;
  }

  /** Refuses a message that lacks a credential of the catalog or brings one that no server is sent. @throws CmcpError `CREDENTIAL_NOT_PROVISIONED`, `CONFIG_INVALID` */
  assertValid({ credentials = [] }: Provision): void {
    requireCredentials(this.#catalog, new Set(credentials.map(({ name }) => name)));
  }

  /** Takes the credentials of an acceptable message in place of those before. */
  provision({ credentials = [] }: Provision): void {
    this.#byName = new Map(credentials.map(({ name, value }) => [name, value]));
  }

  /** @throws CmcpError `CREDENTIAL_NOT_PROVISIONED` before any was */
  value(name: string): string {
    const value = this.#byName.get(name);
    if (value === undefined)
      throw new CmcpError("CREDENTIAL_NOT_PROVISIONED", `the credential ${name} was not provisioned`, {
        detail: { sent: 0 },
      });
    return value;
  }
}
