import type { Untrusted } from "@cmcp/boundary";
import type { Provision } from "@cmcp/provision";
import type { Rules } from "../call/rules.ts";
import { instanceReport, type InstanceReport, type RulesHashes } from "../instance/report.ts";
import { reportFault } from "../instance/stderr-events.ts";
import { followCatalog } from "../servers/follow-catalog.ts";
import type { ComposedParts } from "./compose-call.ts";
import type { Provisioning } from "./provisioning.ts";

/** How long running calls may take to finish at shutdown, in milliseconds. The host closes connections a little later. */
const FINISH_MS = 4_000;

/** What control operations need. */
export interface ControlPorts extends Pick<ComposedParts, "instance" | "access" | "servers" | "record" | "notices"> {
  readonly provisioning: Provisioning;
  /** Aborts when the gateway stops. */
  readonly stopping: AbortController;
}

/** What the host may ask of a launched enclave: take tokens, take another policy or catalog, shut down. */
export class ControlOperations {
  readonly #parts: ControlPorts;

  constructor(parts: ControlPorts) {
    this.#parts = parts;
  }

  /** Replaces tokens and credentials, and records that. If the message is refused nothing changes. */
  async provision(message: Provision): Promise<void> {
    await this.#parts.provisioning.takeMessage(message);
  }

  /** Puts another policy, another catalog, or both in force. @returns the report that commits to them */
  async reload(received: Untrusted<Uint8Array>): Promise<InstanceReport> {
    const { access, instance, record } = this.#parts;
    const { journal, sessions, recorder } = record;
    const { commitments, collect, freshness, presentReport, rules } = instance;
    const report = async (hashes: RulesHashes): Promise<InstanceReport> =>
      await instanceReport(commitments, hashes, hashes.policy, collect);
    const installed = (made: InstanceReport, before: Rules): void => {
      freshness.renew();
      presentReport.replace(made);
      // The new rules may allow a caller other tools.
      for (const list of ["tools", "prompts", "resources"] as const) access.listeners.listChanged(list);
      if (rules.current.catalog !== before.catalog) this.#followCatalog(before);
    };
    return await rules.reload({ journal, sessions, recorder, report, installed }, received);
  }

  /** Ends at servers what the catalog in force does not have. */
  #followCatalog({ catalog: before }: Rules): void {
    const { instance, servers, record } = this.#parts;
    const running = [...record.sessions.openSessions()].map((recorded) => recorded.callsUnderWay());
    const inForce = (): Rules["catalog"] => instance.rules.current.catalog;
    followCatalog(servers, { before, inForce, callsDone: Promise.all(running) });
  }

  /**
   * Shuts down: ends streams, lets calls finish, closes every session with its claim.
   * @param closing called with the number of open sessions, as it falls
   * @returns how many sessions could not be closed
   */
  async end(closing: (open: number) => void): Promise<number> {
    const { access, servers, record, notices, stopping } = this.#parts;
    stopping.abort();
    await notices?.stop();
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
