import { CmcpError, asCmcpError } from "@cmcp/boundary";
import { MAX_LAUNCH_DOCUMENT } from "@cmcp/launch";
import { parseProvision } from "@cmcp/provision";
import type { IncomingExchange } from "@cmcp/wire";
import { answer, readWhole } from "../http/exchange.ts";
import { reportFault } from "../instance/stderr-events.ts";
import { boot, type RunningEnclave } from "./boot.ts";
import type { Environment } from "./launch.ts";
import { PhaseMachine, type Message } from "./phases.ts";

const MAX_PROVISION_BYTES = 1024 * 1024;
/** How often the host hears how many sessions are open while they are closed, in milliseconds. */
const PROGRESS_MS = 1_000;

/** The enclave: its phase and, after the launch, its core. Every exchange of the host comes here. */
export class Enclave {
  readonly #phases = new PhaseMachine();
  readonly #surroundings: Environment;
  #launched: RunningEnclave | null = null;

  constructor(environment: Environment) {
    this.#surroundings = environment;
    this.#phases.step("ready");
  }

  /** Answers one exchange. Any error becomes an `error` frame. */
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
      case "request": {
        const { handle, buffered } = this.#required("request");
        return await answer(exchange, opening, handle, buffered);
      }
      case "egress":
      case "append":
      case "head":
      case "scan":
      case "range":
      case "prove":
      case "cosign":
      case "tree":
        throw new CmcpError("WIRE_UNEXPECTED_FRAME", `the enclave does not serve ${opening.t}`);
    }
  }

  async #launch(exchange: IncomingExchange): Promise<void> {
    this.#phases.step("launch");
    try {
      this.#launched = await boot(await readWhole(exchange, MAX_LAUNCH_DOCUMENT), this.#surroundings, this.#phases);
    } catch (thrown) {
      this.#phases.step("failed");
      throw thrown;
    }
    await acknowledge(exchange);
  }

  async #provision(exchange: IncomingExchange): Promise<void> {
    const message = parseProvision(await readWhole(exchange, MAX_PROVISION_BYTES));
    await this.#required("provision").control.provision(message);
    await acknowledge(exchange);
  }

  /** Puts another policy in force, and answers with the report that commits to it. */
  async #reload(exchange: IncomingExchange): Promise<void> {
    const message = await readWhole(exchange, MAX_LAUNCH_DOCUMENT);
    this.#phases.step("reload");
    await answerJson(exchange, await this.#required("reload").control.reload(message));
  }

  /**
   * Shuts down, and answers with the number of sessions without a claim. The host may then end the process. While
   * sessions are closed, it hears how many are left.
   */
  async #drain(exchange: IncomingExchange): Promise<void> {
    this.#phases.step("drain");
    await exchange.respond({ status: 200, headers: { "content-type": "application/json" } });
    let [open, told] = [0, 0];
    let written = Promise.resolve();
    const line = (said: object): void => {
      written = written.then(async () => await exchange.write(Buffer.from(`${JSON.stringify(said)}\n`)));
      // The last write fails, too, if this one does.
      written.catch(() => undefined);
    };
    const timer = setInterval(() => {
      if (open !== told) line({ open_sessions: open });
      told = open;
    }, PROGRESS_MS);
    try {
      line({ unclosed_sessions: (await this.#launched?.control.end((left) => void (open = left))) ?? 0 });
      await written;
      await exchange.end();
    } finally {
      clearInterval(timer);
    }
  }

  #required(message: Message): RunningEnclave {
    if (this.#launched === null)
      throw new CmcpError("PHASE_VIOLATION", `${message} is not legal while ${this.#phases.phase}`);
    return this.#launched;
  }
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
