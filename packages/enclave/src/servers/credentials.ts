import { CmcpError } from "@cmcp/boundary";
import { requireCredentials, type Catalog } from "@cmcp/catalog";
import type { Provision } from "@cmcp/provision";

/**
 * The gateway's own credentials for tool servers, by their names in the catalog. They are never recorded. Tokens of agents
 * are never sent to servers.
 */
export class Credentials {
  readonly #catalog: Pick<Catalog, "servers">;
  #byName: ReadonlyMap<string, string> = new Map();

  #changed: (names: ReadonlySet<string>) => void = () => undefined;

  constructor(catalog: Pick<Catalog, "servers">) {
    this.#catalog = catalog;
  }

  /**
   * Checks that a message has every credential of the catalog and no other.
   * @throws CmcpError `CREDENTIAL_NOT_PROVISIONED`, `CONFIG_INVALID`
   */
  assertValid({ credentials = [] }: Provision): void {
    requireCredentials(this.#catalog, new Set(credentials.map(({ name }) => name)));
  }

  /** Replaces the credentials, and tells whoever keeps values which of them are others now. */
  provision({ credentials = [] }: Provision): void {
    const before = this.#byName;
    this.#byName = new Map(credentials.map(({ name, value }) => [name, value]));
    const names = new Set([...before.keys(), ...this.#byName.keys()]);
    this.#changed(new Set([...names].filter((name) => before.get(name) !== this.#byName.get(name))));
  }

  /** Names who hears of each provisioning which credentials have other values. */
  onChange(changed: (names: ReadonlySet<string>) => void): void {
    this.#changed = changed;
  }

  /** The value of a credential. @throws CmcpError `CREDENTIAL_NOT_PROVISIONED` */
  value(name: string): string {
    const value = this.#byName.get(name);
    if (value === undefined)
      throw new CmcpError("CREDENTIAL_NOT_PROVISIONED", `the credential ${name} was not provisioned`, {
        detail: { sent: 0 },
      });
    return value;
  }
}
