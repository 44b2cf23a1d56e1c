import { CmcpError } from "@cmcp/boundary";
import type { AgentRequest } from "@cmcp/mcp";
import type { Caller } from "../access/caller.ts";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { reportAdvisory } from "../instance/report-advisory.ts";
import { decide, judgeQuestion } from "./decide.ts";
import { isPermitted, type Refused } from "./decision.ts";
import type { Target } from "@cmcp/catalog";

/** The call whose server asks. */
export interface AskingCall {
  readonly id: string;
  readonly caller: Caller;
  readonly subject: Target;
  /** What policy decided: the call itself, or the one its task was made by. */
  readonly decided: AgentRequest;
}

/** Which rule stops a question or its answer, and what is said of it. */
export type QuestionRefusal = Pick<Refused, "rule" | "code">;

interface Judged {
  /** Policy refuses it, and the mode lets it through. */
  readonly letThrough: boolean;
  readonly refusal: QuestionRefusal | null;
}

/** A question that may be put to the agent. */
export interface PutQuestion {
  /** Decides once more, now that there is an answer. @throws CmcpError when it may not go to the server any more */
  answered(): void;
}

/**
 * What a server may ask of the agent during one call. Policy decides the question, and the answer again together with the call
 * it goes out with: what the session has seen meanwhile counts. What policy refuses is counted for the call's entry, in
 * every mode.
 */
export class Questions {
  readonly #core: Core;
  readonly #recorded: RecordedSession;
  readonly #call: AskingCall;
  #refused = 0;
  #letThrough = 0;
  #rule: string | null = null;

  constructor(core: Core, recorded: RecordedSession, call: AskingCall) {
    this.#core = core;
    this.#recorded = recorded;
    this.#call = call;
  }

  /** @throws CmcpError `POLICY_DENY`, `SESSION_SENSITIVITY_POLICY_DENY` when policy does not let the server ask this */
  put(method: string): PutQuestion {
    const { letThrough } = required(this.#judge(method, false), "policy does not let the server ask this of the agent");
    return {
      answered: () => {
        required(this.#judge(method, letThrough), "policy does not let the server have the agent's answer any more");
        const decision = decide(this.#core, this.#recorded, this.#call.caller, this.#call.decided);
        if (!isPermitted(decision))
          required(this.#stopped(decision), "policy does not let the call go on with the agent's answer");
      },
    };
  }

  /** Why answers to what was asked by these methods may not go out now; `null` when they may. The call itself is decided elsewhere. */
  refusalOfAnswers(methods: readonly string[]): QuestionRefusal | null {
    for (const method of methods) {
      const { refusal } = this.#judge(method, false);
      if (refusal !== null) return refusal;
    }
    return null;
  }

  /** Members of the call's entry: questions and answers that policy stopped, and those that only the mode let through. */
  get detail(): Record<string, string | number> {
    return {
      ...(this.#refused === 0 ? {} : { questions_refused: this.#refused }),
      ...(this.#letThrough === 0 ? {} : { questions_advisory_deny: this.#letThrough }),
      ...(this.#rule === null ? {} : { question_rule: this.#rule }),
    };
  }

  /** @param counted whether it is on record already that the mode let this question through */
  #judge(method: string, counted: boolean): Judged {
    const { id, caller, subject, decided } = this.#call;
    const { passes, refusal } = judgeQuestion(this.#core, this.#recorded, caller, subject, decided, method);
    if (refusal === null) return { letThrough: counted, refusal: null };
    if (!passes) return this.#stopped(refusal);
    if (!counted) {
      this.#letThrough += 1;
      this.#rule = refusal.rule;
      if (this.#core.config.attestation.enforcement_mode === "advisory") reportAdvisory(id, refusal.code);
    }
    return { letThrough: true, refusal: null };
  }

  #stopped(refusal: QuestionRefusal): Judged {
    this.#refused += 1;
    this.#rule = refusal.rule;
    return { letThrough: false, refusal };
  }
}

function required(judged: Judged, message: string): Judged {
  if (judged.refusal !== null) throw new CmcpError(judged.refusal.code, message, { detail: { sent: 1 } });
  return judged;
}
