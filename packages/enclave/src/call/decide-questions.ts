import { CmcpError } from "@cmcp/boundary";
import type { Target } from "@cmcp/catalog";
import type { CompiledPolicy } from "@cmcp/policy";
import type { Call } from "./call.ts";
import type { Decider } from "./decide.ts";
import type { Detail, Refusal } from "./ending.ts";

/** A question that may be put to the agent. */
export interface PermittedQuestion {
  /** Decides once more, as there is an answer. @throws CmcpError when it may not go to the server any more */
  permitAnswer(): void;
}

/** What questions are decided with. */
export interface QuestionDeciderPorts {
  readonly decider: Pick<Decider, "decide" | "decideQuestion">;
  /** The policy in force when a question is decided, which may be a newer one than the call's. */
  readonly policy: () => CompiledPolicy;
  /** Told of each question that policy refuses and the mode lets through. */
  readonly advisory: (callId: string, code: Refusal["code"]) => void;
}

/**
 * What a server may ask of the agent during one call. Policy decides the question, and the answer again together with the call
 * it goes out with: what the session has seen meanwhile counts. What policy refuses is counted for the call's entry, in
 * every mode.
 */
export class QuestionDecider {
  readonly #ports: QuestionDeciderPorts;
  readonly #call: Call;
  readonly #target: Target;
  #refused = 0;
  #letThrough = 0;
  #rule: string | null = null;

  constructor(ports: QuestionDeciderPorts, call: Call, target: Target) {
    this.#ports = ports;
    this.#call = call;
    this.#target = target;
  }

  /** @throws CmcpError `POLICY_DENY`, `SESSION_SENSITIVITY_POLICY_DENY` when policy does not let the server ask this */
  permit(method: string): PermittedQuestion {
    const { letThrough } = requireAllowed(
      this.#decide(method, false),
      "policy does not let the server ask this of the agent",
    );
    return {
      permitAnswer: () => {
        requireAllowed(
          this.#decide(method, letThrough),
          "policy does not let the server have the agent's answer any more",
        );
        const decision = this.#ports.decider.decide(this.#callUnderCurrentPolicy());
        if (decision.kind === "continue" || decision.outcome.kind !== "error") return;
        const { code } = decision.outcome;
        requireAllowed(
          this.#refuse({ rule: decision.rule, code, message: "" }),
          "policy does not let the call go on with the agent's answer",
        );
      },
    };
  }

  /** Why answers to what was asked by these methods may not go out; `null` when they may. The call itself is decided elsewhere. */
  refusalOfAnswers(methods: Iterable<string>): Refusal | null {
    for (const method of methods) {
      const { refusal } = this.#decide(method, false);
      if (refusal !== null) return { ...refusal, message: "policy does not let the server have these answers" };
    }
    return null;
  }

  /** Members of the call's entry: questions and answers that policy stopped, and those that only the mode let through. */
  get detail(): Detail {
    return {
      ...(this.#refused === 0 ? {} : { questions_refused: this.#refused }),
      ...(this.#letThrough === 0 ? {} : { questions_advisory_deny: this.#letThrough }),
      ...(this.#rule === null ? {} : { question_rule: this.#rule }),
    };
  }

  #callUnderCurrentPolicy(): Call {
    return { ...this.#call, policy: this.#ports.policy() };
  }

  /** @param counted whether it is on record already that the mode let this question through */
  #decide(method: string, counted: boolean): QuestionOutcome {
    const { allowed, refusal } = this.#ports.decider.decideQuestion(
      this.#callUnderCurrentPolicy(),
      this.#target,
      method,
    );
    if (refusal === null) return { letThrough: counted, refusal: null };
    if (!allowed) return this.#refuse(refusal);
    if (!counted) {
      this.#letThrough += 1;
      this.#rule = refusal.rule;
      this.#ports.advisory(this.#call.id, refusal.code);
    }
    return { letThrough: true, refusal: null };
  }

  #refuse(refusal: Refusal): QuestionOutcome {
    this.#refused += 1;
    this.#rule = refusal.rule;
    return { letThrough: false, refusal };
  }
}

interface QuestionOutcome {
  /** Policy refuses it, and the mode lets it through. */
  readonly letThrough: boolean;
  readonly refusal: Refusal | null;
}

function requireAllowed(outcome: QuestionOutcome, message: string): QuestionOutcome {
  if (outcome.refusal !== null) throw new CmcpError(outcome.refusal.code, message, { detail: { sent: 1 } });
  return outcome;
}
