import { CmcpError } from "@cmcp/boundary";
import type { Target } from "@cmcp/catalog";
import type { CompiledPolicy } from "@cmcp/policy";
import type { Call } from "./call.ts";
import type { Decider } from "./decide.ts";
import type { Detail, Refusal } from "./ending.ts";

/** A question that may be put to the agent. */
export interface PutQuestion {
  /** Decides once more, as there is an answer. @throws CmcpError when it may not go to the server any more */
  answered(): void;
}

/** What questions are decided with. */
export interface QuestionPorts {
  readonly decider: Pick<Decider, "decide" | "question">;
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
export class Questions {
  readonly #ports: QuestionPorts;
  readonly #call: Call;
  readonly #target: Target;
  #refused = 0;
  #letThrough = 0;
  #rule: string | null = null;

  constructor(ports: QuestionPorts, call: Call, target: Target) {
    this.#ports = ports;
    this.#call = call;
    this.#target = target;
  }

  /** @throws CmcpError `POLICY_DENY`, `SESSION_SENSITIVITY_POLICY_DENY` when policy does not let the server ask this */
  put(method: string): PutQuestion {
    const { letThrough } = required(this.#judge(method, false), "policy does not let the server ask this of the agent");
    return {
      answered: () => {
        required(this.#judge(method, letThrough), "policy does not let the server have the agent's answer any more");
        const decision = this.#ports.decider.decide(this.#current());
        if (decision.kind === "continue" || decision.outcome.kind !== "error") return;
        const { code } = decision.outcome;
        required(
          this.#stopped({ rule: decision.rule, code, message: "" }),
          "policy does not let the call go on with the agent's answer",
        );
      },
    };
  }

  /** Why answers to what was asked by these methods may not go out; `null` when they may. The call itself is decided elsewhere. */
  refusalOfAnswers(methods: Iterable<string>): Refusal | null {
    for (const method of methods) {
      const { refusal } = this.#judge(method, false);
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

  #current(): Call {
    return { ...this.#call, policy: this.#ports.policy() };
  }

  /** @param counted whether it is on record already that the mode let this question through */
  #judge(method: string, counted: boolean): Judgement {
    const { passes, refusal } = this.#ports.decider.question(this.#current(), this.#target, method);
    if (refusal === null) return { letThrough: counted, refusal: null };
    if (!passes) return this.#stopped(refusal);
    if (!counted) {
      this.#letThrough += 1;
      this.#rule = refusal.rule;
      this.#ports.advisory(this.#call.id, refusal.code);
    }
    return { letThrough: true, refusal: null };
  }

  #stopped(refusal: Refusal): Judgement {
    this.#refused += 1;
    this.#rule = refusal.rule;
    return { letThrough: false, refusal };
  }
}

interface Judgement {
  /** Policy refuses it, and the mode lets it through. */
  readonly letThrough: boolean;
  readonly refusal: Refusal | null;
}

function required(judged: Judgement, message: string): Judgement {
  if (judged.refusal !== null) throw new CmcpError(judged.refusal.code, message, { detail: { sent: 1 } });
  return judged;
}
