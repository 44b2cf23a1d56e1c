import type { Untrusted } from "@cmcp/boundary";
import type { Provision } from "@cmcp/launch";
import { instanceReport, type InstanceReport } from "../instance/report.ts";
import { reportFault } from "../instance/stderr-events.ts";
import type { ComposedParts } from "./compose-call.ts";
import type { AcceptedLaunch, LaunchContents } from "./launch.ts";

/** How long running calls may take to finish at shutdown, in milliseconds. The host closes connections a little later. */
const FINISH_MS = 4_000;

/** What control operations need. */
export interface ControlPorts extends Pick<ComposedParts, "instance" | "access" | "servers" | "record"> {
  /** Aborts when the gateway stops. */
  readonly stopping: AbortController;
}

/** What the host may ask of a launched enclave: take tokens, take another policy, shut down. */
export class ControlOperations {
  readonly #launch: AcceptedLaunch;
  readonly #contents: LaunchContents;
  readonly #parts: ControlPorts;

  constructor(launch: AcceptedLaunch, contents: LaunchContents, parts: ControlPorts) {
    this.#launch = launch;
    this.#contents = contents;
    this.#parts = parts;
  }

  /**
   * Replaces tokens and credentials, and records that. If the message is refused nothing changes.
   * @param taken called when the message is accepted
   */
  async provision(message: Provision, taken: () => void): Promise<void> {
    const { access, servers, record } = this.#parts;
    await record.provisions.take(message, {
      check: () => {
        access.principals.assertValid(message, this.#launch.document.development);
        servers.credentials.assertValid(message);
      },
      apply: () => {
        taken();
        access.principals.provision(message);
        servers.credentials.provision(message);
      },
    });
  }

  /** Puts another policy in force. @returns the report that commits to it */
  async reload(received: Untrusted<Uint8Array>): Promise<InstanceReport> {
    const { access, instance, record } = this.#parts;
    const { journal, sessions, recorder } = record;
    const { commitments, collect, freshness } = instance;
    const report = async (policyHash: string): Promise<InstanceReport> =>
      await instanceReport(commitments, policyHash, policyHash, collect);
    const installed = (): void => {
      freshness.renew();
      // The new policy may allow a caller other tools.
      for (const list of ["tools", "prompts", "resources"] as const) access.listeners.listChanged(list);
    };
    const { catalog } = this.#contents;
    return await instance.activePolicy.reload({ catalog, journal, sessions, recorder, report, installed }, received);
  }

  /**
   * Shuts down: ends streams, lets calls finish, closes every session with its claim.
   * @param closing called with the number of open sessions, as it falls
   * @returns how many sessions could not be closed
   */
  async end(closing: (open: number) => void): Promise<number> {
    const { access, servers, record, stopping } = this.#parts;
    stopping.abort();
    if (record.witnesses?.lost === true) record.witnesses.stop();
    await access.admission.waitUntilIdle(FINISH_MS);
    record.witnesses?.stop();
    const unclosed = await record.closing.closeAll(closing);
    // The next start reads the present and not the past. Without it, it reads more.
    await record.journal.writeSnapshot().catch(reportFault);
    await servers.upstreams.close();
    return unclosed;
  }
}
