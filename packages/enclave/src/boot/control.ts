import type { Untrusted } from "@cmcp/boundary";
import type { Provision } from "@cmcp/launch";
import { instanceReport, type InstanceReport } from "../instance/report.ts";
import type { ComposedParts } from "./compose-call.ts";
import type { AcceptedLaunch, LaunchContents } from "./launch.ts";

/** How long calls that run may take to finish when the gateway stops, in milliseconds; the host cuts connections a little later. */
const FINISH_MS = 4_000;

/** What control messages act on. */
export interface ControlPorts extends Pick<ComposedParts, "instance" | "access" | "servers" | "record"> {
  /** Aborts when the gateway stops. */
  readonly stopping: AbortController;
}

/** What the host may have a launched enclave do: take tokens, take another policy, and stop in order. */
export class ControlOperations {
  readonly #launch: AcceptedLaunch;
  readonly #contents: LaunchContents;
  readonly #parts: ControlPorts;

  constructor(launch: AcceptedLaunch, contents: LaunchContents, parts: ControlPorts) {
    this.#launch = launch;
    this.#contents = contents;
    this.#parts = parts;
  }

  /** Takes tokens and credentials in place of those before, on record. Refused, everything stays. @param taken called once nothing can refuse them */
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

  /** Puts another policy in force. @returns the report that commits to it; refused, the one in force stays */
  async reload(received: Untrusted<Uint8Array>): Promise<InstanceReport> {
    const { access, instance, record } = this.#parts;
    const { journal, sessions, recorder } = record;
    const { commitments, collect, freshness } = instance;
    const report = async (policyHash: string): Promise<InstanceReport> =>
      await instanceReport(commitments, policyHash, policyHash, collect);
    const installed = (): void => {
      freshness.renew();
      // What a caller may use is for the new policy to say.
      for (const list of ["tools", "prompts", "resources"] as const) access.listeners.listChanged(list);
    };
    const { catalog } = this.#contents;
    return await instance.activePolicy.reload({ catalog, journal, sessions, recorder, report, installed }, received);
  }

  /** Ends what agents listen on, lets calls finish and closes every session with its claim. @returns how many could not be closed */
  async end(): Promise<number> {
    const { access, servers, record, stopping } = this.#parts;
    stopping.abort();
    await access.admission.waitUntilIdle(FINISH_MS);
    const unclosed = await record.closing.closeAll();
    await servers.upstreams.close();
    return unclosed;
  }
}
