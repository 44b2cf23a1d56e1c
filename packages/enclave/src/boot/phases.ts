import { CmcpError } from "@cmcp/boundary";

/** Where the enclave is in its life (docs/explanation/boot.md). */
export type Phase = "Booting" | "AwaitingLaunch" | "Measured" | "Serving" | "Draining" | "Fatal";

/** What the host may send. `launch`, `provision`, `reload` and `drain` are control messages; `request` is an agent's HTTP request. */
export type Message = "launch" | "provision" | "request" | "reload" | "drain";

/** What the enclave itself may report. */
export type Event = "ready" | "failed";

/** Every legal step; anything absent is a typed reject and changes nothing. */
const TABLE: Readonly<Record<Phase, Partial<Record<Message | Event, Phase>>>> = {
  Booting: { ready: "AwaitingLaunch", failed: "Fatal" },
  AwaitingLaunch: { launch: "Measured", drain: "Draining", failed: "Fatal" },
  // Agent requests reach the router before provisioning too, where each is refused with NOT_PROVISIONED.
  Measured: { provision: "Serving", request: "Measured", drain: "Draining", failed: "Fatal" },
  // A later provisioning replaces the tokens of the one before.
  Serving: { provision: "Serving", request: "Serving", reload: "Serving", drain: "Draining", failed: "Fatal" },
  Draining: { failed: "Fatal" },
  Fatal: {},
};

/** The enclave's current phase; moves only along the table. */
export class PhaseMachine {
  #phase: Phase = "Booting";

  get phase(): Phase {
    return this.#phase;
  }

  /** Takes one step. @throws CmcpError `PHASE_VIOLATION` when the table has none; the phase then stays. */
  step(input: Message | Event): Phase {
    const next = TABLE[this.#phase][input];
    if (next === undefined) throw new CmcpError("PHASE_VIOLATION", `${input} is not legal while ${this.#phase}`);
    this.#phase = next;
    return next;
  }
}
