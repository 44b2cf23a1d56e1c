import { CmcpError } from "@cmcp/boundary";

/** The phase of the enclave (docs/explanation/boot.md). */
export type Phase = "Booting" | "AwaitingLaunch" | "Measured" | "Serving" | "Draining" | "Fatal";

/** The messages of the host. `launch`, `provision`, `reload` and `drain` are control messages; `request` is an agent's HTTP request. */
export type Message = "launch" | "provision" | "request" | "reload" | "drain";

/** The events of the enclave itself. */
export type Event = "ready" | "failed";

/** Every legal step. Any other is refused and changes nothing. */
const TABLE: Readonly<Record<Phase, Partial<Record<Message | Event, Phase>>>> = {
  Booting: { ready: "AwaitingLaunch", failed: "Fatal" },
  AwaitingLaunch: { launch: "Measured", drain: "Draining", failed: "Fatal" },
  // Before provisioning a request with a token is refused with NOT_PROVISIONED. One may be the statement that provisions.
  // The policy in force may be a later one than the document's, and is put in force before anybody is served.
  Measured: { provision: "Serving", request: "Measured", reload: "Measured", drain: "Draining", failed: "Fatal" },
  // A later provisioning replaces tokens and credentials.
  Serving: { provision: "Serving", request: "Serving", reload: "Serving", drain: "Draining", failed: "Fatal" },
  Draining: { failed: "Fatal" },
  Fatal: {},
};

/** The present phase, which changes only as the table says. */
export class PhaseMachine {
  #phase: Phase = "Booting";

  get phase(): Phase {
    return this.#phase;
  }

  /** Takes one step. @throws CmcpError `PHASE_VIOLATION` for a step that is not in the table; the phase stays. */
  step(input: Message | Event): Phase {
    const next = TABLE[this.#phase][input];
    if (next === undefined) throw new CmcpError("PHASE_VIOLATION", `${input} is not legal while ${this.#phase}`);
    this.#phase = next;
    return next;
  }
}
