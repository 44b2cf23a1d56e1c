import { CmcpError, type JsonObject } from "@cmcp/boundary";
import type { Target } from "@cmcp/catalog";
import type { Call } from "./call.ts";
import type { Decider } from "./decide.ts";
import type { Detail, Refusal } from "./ending.ts";
import type { Question } from "./policy-facts.ts";
import type { Rules } from "./rules.ts";

/** A question that policy allows. */
export interface PermittedQuestion {
  /** Decides again, once the agent has answered. @throws CmcpError if the server may not have the answer */
  permitAnswer(answer: JsonObject): void;
}

/** What deciding questions needs. */
export interface QuestionDeciderPorts {
  readonly decider: Pick<Decider, "decide" | "decideQuestion">;
  /** The rules in force now, which may be newer than the call's. */
  readonly rules: () => Rules;
  /** Called for each question that policy refuses and the enforcement mode lets through. */
  readonly advisory: (callId: string, code: Refusal["code"]) => void;
}

/**
 * Decides what a server may ask the agent during one call. Policy decides each question when the server asks it. When the agent has
 * answered, policy decides question and call again, because the session may have seen more data since. Refusals are counted for the call's
 * entry under every enforcement mode.
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

  /** Decides one question. @throws CmcpError `POLICY_DENY`, `SESSION_SENSITIVITY_POLICY_DENY` */
  permit(method: string): PermittedQuestion {
    const { letThrough } = requireAllowed(
      this.#decide({ method, answer: null }, false),
      "policy does not allow the server to ask the agent this",
    );
    return {
      permitAnswer: (answer) => {
        requireAllowed(
          this.#decide({ method, answer }, letThrough),
          "policy does not allow the answer to go to the server, after the data seen since",
        );
        const decision = this.#ports.decider.decide(this.#callUnderCurrentRules(answer));
        if (decision.kind === "continue" || decision.outcome.kind !== "error") return;
        const { code } = decision.outcome;
        requireAllowed(
          this.#refuse({ rule: decision.rule, code, message: "" }),
          "policy does not allow the call to continue with the answer",
        );
      },
    };
  }

  /** Why these answers may not be sent; `null` if they may. This does not decide the call itself. */
  refusalOfAnswers(answered: Iterable<Question>): Refusal | null {
    for (const question of answered) {
      const { refusal } = this.#decide(question, false);
      if (refusal !== null) return { ...refusal, message: "policy does not allow these answers to go to the server" };
    }
    return null;
  }

  /** Counts for the call's entry: questions and answers that policy refused, and those that the mode let through. */
  get detail(): Detail {
    return {
      ...(this.#refused === 0 ? {} : { questions_refused: this.#refused }),
      ...(this.#letThrough === 0 ? {} : { questions_advisory_deny: this.#letThrough }),
      ...(this.#rule === null ? {} : { question_rule: this.#rule }),
    };
  }

  /** The call is counted already: deciding it again adds nothing to limits and history. */
  #callUnderCurrentRules(answer?: JsonObject): Call {
    const call = { ...this.#call, ...this.#ports.rules(), requestBytes: 0, isFollowUp: true };
    return answer === undefined ? call : { ...call, answer };
  }

  /** @param counted whether this question was already counted as let through by the mode */
  #decide(question: Question, counted: boolean): QuestionOutcome {
    const { allowed, refusal } = this.#ports.decider.decideQuestion(
      this.#callUnderCurrentRules(question.answer ?? undefined),
      this.#target,
      question,
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
  /** Policy refuses the question, and the enforcement mode lets it through. */
  readonly letThrough: boolean;
  readonly refusal: Refusal | null;
}

function requireAllowed(outcome: QuestionOutcome, message: string): QuestionOutcome {
  if (outcome.refusal !== null) throw new CmcpError(outcome.refusal.code, message, { detail: { sent: 1 } });
  return outcome;
}
