import { CmcpError } from "@cmcp/boundary";
import type { Provision, StatementMessage } from "@cmcp/provision";
import type { ProvisionInForce, StatementFacts } from "../record/provision-detail.ts";
import type { ProvisionSteps } from "../record/provisions.ts";
import type { ComposedParts } from "./compose-call.ts";
import type { AcceptedLaunch } from "./launch.ts";
import type { PhaseMachine } from "./phases.ts";

/** What provisioning needs. */
export interface ProvisioningPorts extends Pick<ComposedParts, "access" | "servers" | "record"> {
  readonly phases: Pick<PhaseMachine, "step">;
}

/** Puts tokens and credentials in force, from whomever the launch document takes them. */
export class Provisioning {
  readonly #launch: Pick<AcceptedLaunch, "inImage" | "document">;
  readonly #parts: ProvisioningPorts;

  constructor(launch: Pick<AcceptedLaunch, "inImage" | "document">, parts: ProvisioningPorts) {
    this.#launch = launch;
    this.#parts = parts;
  }

  /**
   * Takes the host's own message, which nobody signed.
   * @throws CmcpError `PROVISION_NOT_SIGNED` where statements are the only way; as `takeStatement`
   */
  async takeMessage(message: Provision): Promise<void> {
    const { access, record } = this.#parts;
    const { inImage, document } = this.#launch;
    if (access.provisioners.areListed)
      throw new CmcpError(
        "PROVISION_NOT_SIGNED",
        "the launch document lists enclave.provisioning_keys: tokens and credentials come in signed statements alone",
      );
    if (inImage && !document.development && hasSecrets(message))
      throw new CmcpError(
        "PROVISION_NOT_SIGNED",
        "a measured image takes tokens and credentials in signed statements alone: list enclave.provisioning_keys",
      );
    await record.provisions.take(message, this.#steps());
  }

  /**
   * Takes the message of a statement that was authenticated and opened. A storage key alone stands for the stored set.
   * @param assertFor throws where the statement is not for this instance, or not for this time
   * @throws CmcpError if the message is refused; nothing changes then
   */
  async takeStatement(
    message: StatementMessage,
    facts: StatementFacts,
    assertFor: () => void,
  ): Promise<ProvisionInForce> {
    const { check, ...steps } = this.#steps();
    const checked = (set: Provision): void => {
      assertFor();
      check(set);
    };
    return await this.#parts.record.provisions.take(message, { check: checked, ...steps }, facts);
  }

  #steps(): ProvisionSteps {
    const { access, servers, phases } = this.#parts;
    return {
      check: (set) => {
        access.principals.assertValid(set, this.#launch.document.development);
        servers.credentials.assertValid(set);
      },
      bind: (set) => access.principals.bind(set),
      apply: (set) => {
        phases.step("provision");
        access.principals.provision(set);
        servers.credentials.provision(set);
      },
    };
  }
}

/** Whether a message brings anything: one for JWTs alone does not. */
function hasSecrets({ tokens, credentials = [] }: Provision): boolean {
  return tokens.length > 0 || credentials.length > 0;
}
