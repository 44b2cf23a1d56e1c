import { CmcpError } from "@cmcp/boundary";
import { PURPOSE, signingInput, type SignedProvision } from "@cmcp/provision";
import { MeasuredKeys } from "./measured-keys.ts";

/** What a statement must name, and the time it is judged at. */
export interface ProvisionersPlace {
  /** RFC 7638 thumbprint of the instance's signing key, base64url. */
  readonly instance: string;
  /** `sha256:` and hex of the launch document. */
  readonly launchDigest: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Who may provision: the holders of the keys of `enclave.provisioning_keys`. */
export class Provisioners {
  readonly #keys: MeasuredKeys;
  readonly #place: ProvisionersPlace;

  /** @param keys Ed25519 public keys, base64url of 32 bytes */
  constructor(keys: readonly string[], place: ProvisionersPlace) {
    this.#keys = new MeasuredKeys(keys);
    this.#place = place;
  }

  /** Whether tokens and credentials come in signed statements, and no other way. */
  get areListed(): boolean {
    return this.#keys.size > 0;
  }

  /** @throws CmcpError `PROVISION_STATEMENT_INVALID` unless a measured key signed the statement */
  authenticate({ statement, key, signature }: SignedProvision): void {
    if (!this.#keys.hasSigned(key, signingInput(statement), signature))
      throw new CmcpError(
        "PROVISION_STATEMENT_INVALID",
        "the statement is not signed by a key of enclave.provisioning_keys",
      );
  }

  /**
   * @throws CmcpError `PROVISION_STATEMENT_MISMATCH` for one of another purpose, instance or launch;
   * `PROVISION_STATEMENT_EXPIRED` outside of its time
   */
  assertFor({ statement }: SignedProvision): void {
    const { instance, launchDigest, now } = this.#place;
    const other =
      statement.purpose !== PURPOSE
        ? "purpose"
        : statement.launch_digest !== launchDigest
          ? "launch document"
          : statement.instance !== instance
            ? "instance"
            : null;
    if (other !== null) throw new CmcpError("PROVISION_STATEMENT_MISMATCH", `the statement is for another ${other}`);
    const seconds = Math.floor(now() / 1000);
    if (seconds < statement.not_before || seconds >= statement.expires)
      throw new CmcpError(
        "PROVISION_STATEMENT_EXPIRED",
        seconds < statement.not_before ? "the statement is not valid yet" : "the statement is not valid any more",
      );
  }
}
