import { CmcpError, asCmcpError } from "@cmcp/boundary";
import { MAX_LAUNCH_DOCUMENT, parseProvision } from "@cmcp/launch";
import type { IncomingExchange } from "@cmcp/wire";
import type { Core } from "./core.ts";
import { createHandler, type Handler } from "../http/router.ts";
import { instanceReport } from "../instance/report.ts";
import { reportFault } from "../instance/report-fault.ts";
import { answer, readWhole } from "../http/exchange.ts";
import { boot, type Surroundings } from "./boot.ts";
import { PhaseMachine } from "./phases.ts";

const MAX_PROVISION_BYTES = 1024 * 1024;
/** How long calls that run may take to finish when the gateway stops, in milliseconds; the host cuts connections a little later. */
const FINISH_MS = 4_000;

interface Running {
  readonly core: Core;
  readonly handle: Handler;
}

/** One enclave: the phase machine and, once launched, the core. Every exchange the host opens comes here. */
export class Enclave {
  readonly #phases = new PhaseMachine();
  readonly #surroundings: Surroundings;
  #running: Running | null = null;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    this.#phases.step("ready");
  }

  /** Answers one exchange; whatever goes wrong is an `error` frame, never a crash. */
  async accept(exchange: IncomingExchange): Promise<void> {
    try {
      await this.#dispatch(exchange);
    } catch (thrown) {
      const error = asCmcpError(thrown, "INTERNAL", "the enclave could not handle the message");
      if (error.code === "INTERNAL") reportFault(error);
      await exchange.fail(error.code, error.message);
    }
  }

  async #dispatch(exchange: IncomingExchange): Promise<void> {
    const { opening } = exchange;
    switch (opening.t) {
      case "launch":
        return await this.#launch(exchange);
      case "provision":
        return await this.#provision(exchange);
      case "reload":
        return await this.#reload(exchange);
      case "drain":
        return await this.#drain(exchange);
      case "request":
        if (this.#running === null)
          throw new CmcpError("PHASE_VIOLATION", `request is not legal while ${this.#phases.phase}`);
        return await answer(exchange, opening, this.#running.handle, this.#running.core.buffered);
      case "egress":
      case "append":
      case "scan":
        throw new CmcpError("WIRE_UNEXPECTED_FRAME", `the enclave does not serve ${opening.t}`);
    }
  }

  async #launch(exchange: IncomingExchange): Promise<void> {
    this.#phases.step("launch");
    try {
      const core = await boot(await readWhole(exchange, MAX_LAUNCH_DOCUMENT), this.#surroundings);
      this.#running = { core, handle: createHandler(core, this.#phases) };
    } catch (thrown) {
      this.#phases.step("failed");
      throw thrown;
    }
    await acknowledge(exchange);
  }

  async #provision(exchange: IncomingExchange): Promise<void> {
    const message = parseProvision(await readWhole(exchange, MAX_PROVISION_BYTES));
    if (this.#running === null)
      throw new CmcpError("PHASE_VIOLATION", `provision is not legal while ${this.#phases.phase}`);
    const { core } = this.#running;
    await core.provisions.take(message, {
      check: () => {
        core.principals.assertAcceptable(message, core.development);
        core.credentials.assertAcceptable(message);
      },
      apply: () => {
        this.#phases.step("provision");
        core.principals.provision(message);
        core.credentials.provision(message);
      },
    });
    await acknowledge(exchange);
  }

  /** Puts another policy in force and answers with the report that commits to it; refused, the one in force stays. */
  async #reload(exchange: IncomingExchange): Promise<void> {
    const message = await readWhole(exchange, MAX_LAUNCH_DOCUMENT);
    this.#phases.step("reload");
    if (this.#running === null)
      throw new CmcpError("PHASE_VIOLATION", `reload is not legal while ${this.#phases.phase}`);
    const { core } = this.#running;
    const report = await core.policies.reload(
      {
        catalog: core.catalog,
        journal: core.journal,
        sessions: core.sessions,
        recorder: core.recorder,
        report: async (policyHash) =>
          await instanceReport(core, policyHash, policyHash, (reportData) => core.attest(reportData)),
        installed: () => {
          core.freshness.renew();
          // What a caller may use is for the new policy to say.
          for (const list of ["tools", "prompts", "resources"] as const) core.listeners.listChanged(list);
        },
      },
      message,
    );
    await answerJson(exchange, report);
  }

  /** Ends everything in order, then answers how many sessions have no claim; the host may end the process after that. */
  async #drain(exchange: IncomingExchange): Promise<void> {
    this.#phases.step("drain");
    await answerJson(exchange, {
      unclosed_sessions: this.#running === null ? 0 : await endSessions(this.#running.core),
    });
  }
}

/** Ends what agents listen on, lets calls finish and closes every session with its claim. Returns how many could not be closed. */
async function endSessions(core: Core): Promise<number> {
  core.stopping.abort();
  await core.admission.idle(FINISH_MS);
  const unclosed = await core.closing.closeAll();
  await core.upstreams.close();
  return unclosed;
}

async function answerJson(exchange: IncomingExchange, answer: object): Promise<void> {
  await exchange.respond({ status: 200, headers: { "content-type": "application/json" } });
  await exchange.write(Buffer.from(JSON.stringify(answer)));
  await exchange.end();
}

async function acknowledge(exchange: IncomingExchange): Promise<void> {
  await exchange.respond({ status: 200, headers: {} });
  await exchange.end();
}
