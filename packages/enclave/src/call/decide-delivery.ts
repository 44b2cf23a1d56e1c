import { canonicalText, CmcpError, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { Target } from "@cmcp/catalog";
import type { Findings } from "@cmcp/findings";
import { refused, type Outcome } from "@cmcp/mcp";
import { joinCompartments, LOWEST, type Compartments } from "@cmcp/session";
import type { Call } from "./call.ts";
import type { ContentFindings } from "./content-findings.ts";
import type { Decider, DeliveryDecision } from "./decide.ts";
import type { Detail, Ending } from "./ending.ts";
import type { FindingLabels } from "./finding-labels.ts";
import type { Permit } from "./permit.ts";

/** What deciding deliveries needs. */
export interface DeliveryPorts {
  readonly decider: Pick<Decider, "decideDelivery">;
  readonly content: ContentFindings;
  readonly labels: FindingLabels;
}

const WITHHELD = "policy does not let this result be delivered";

/**
 * Decides what of one call's answer the agent gets: every message before the result, and the result. Policy decides
 * where the bundle speaks of `deliver_result`. Findings raise labels where the configuration says so, before anything
 * is delivered.
 */
export class DeliveryDecider {
  readonly #ports: DeliveryPorts;
  readonly #call: Call;
  readonly #target: Target;
  #compartments: Compartments = LOWEST.compartments;
  #result: Findings | null = null;
  #withheld = 0;
  #rule: string | null = null;
  #advisory: string | null = null;

  constructor(ports: DeliveryPorts, call: Call, target: Target) {
    this.#ports = ports;
    this.#call = call;
    this.#target = target;
  }

  /** Compartments of what was found in arguments and answer. */
  get compartments(): Compartments {
    return this.#compartments;
  }

  /** Counts for the call's entry. They hold no value that was found. */
  get detail(): Detail {
    return {
      ...argumentDetail(this.#call, this.#ports),
      ...(this.#result === null ? {} : findingsDetail("result", this.#result)),
      ...(this.#withheld === 0 ? {} : { messages_withheld: this.#withheld }),
      ...(this.#rule === null ? {} : { delivery_rule: this.#rule }),
      ...(this.#advisory === null ? {} : { delivery_advisory_decision: this.#advisory }),
    };
  }

  /** Raises the labels of what stands in the arguments. The call is about to be sent. */
  noteArguments(): void {
    const { labels, content } = this.#ports;
    if (labels.isConfigured) this.#raise(content.ofArguments(this.#call.policyRequest, this.#target));
  }

  /** Whether a message before the result may be delivered. It is free text, so a redaction withholds it. */
  permits(message: JsonObject): boolean {
    const { delivers, redactFields } = this.#decide(message, () => undefined);
    if (delivers && redactFields.length === 0) return true;
    this.#withheld += 1;
    return false;
  }

  /**
   * The ending as policy lets it be delivered. A withheld result is recorded as denied; the call was sent, and its data counts as seen.
   *
   * @param inspectAs inspects the answer again, under a permit that redacts more
   * @param lifted refusals that approvals lift
   */
  endingOf(
    ending: Ending,
    permit: Permit,
    inspectAs: (permit: Permit) => Ending,
    lifted: ReadonlySet<string> = new Set(),
  ): Ending {
    const message = contentOf(ending.outcome);
    if (message === null) return ending;
    const decision = this.#decide(message, (found) => (this.#result = found), lifted);
    if (!decision.delivers) {
      const withheld = this.#withhold(ending, decision.rule);
      const { approval: terms, rule } = decision;
      const result = resultIn(ending.outcome);
      if (terms === undefined || result === null) return withheld;
      const held = { ending, permit, result, inspectAs };
      return { ...withheld, approvable: { rule, terms }, held };
    }
    if (decision.redactFields.length === 0) return ending;
    if (resultIn(ending.outcome) === null) return this.#withhold(ending, decision.rule);
    return inspectAs({ ...permit, decision: redactedDecision(permit), ...redactionOfBoth(permit, decision) });
  }

  #decide(
    message: JsonValue,
    seen: (found: Findings) => void,
    lifted: ReadonlySet<string> = new Set(),
  ): DeliveryDecision {
    const { decider, labels, content } = this.#ports;
    let found: Findings | undefined;
    const look = (): Findings => {
      found ??= content.of(message);
      seen(found);
      return found;
    };
    if (labels.isConfigured) this.#raise(look());
    if (!this.#call.policy.decidesDelivery) return DELIVERED;
    const bytes = Buffer.byteLength(canonicalText(message));
    const decision = decider.decideDelivery(this.#call, this.#target, { bytes, findings: look }, lifted);
    if (!decision.delivers || decision.advisory !== null) this.#rule = decision.rule;
    this.#advisory = decision.advisory ?? this.#advisory;
    return decision;
  }

  #raise(found: Findings): void {
    const compartments = this.#ports.labels.of(found);
    this.#compartments = joinCompartments(this.#compartments, compartments);
    this.#call.recorded.session.raise({ compartments, integrity: "trusted" });
  }

  /** A task whose words alone are withheld goes on without them. */
  #withhold(ending: Ending, rule: string): Ending {
    const { outcome } = ending;
    if (outcome.kind === "task" && Object.keys(outcome.ending).length === 0) {
      this.#withheld += 1;
      return {
        ...ending,
        hasServerText: false,
        outcome: { ...outcome, task: { ...outcome.task, statusMessage: null } },
      };
    }
    return {
      ...ending,
      decision: "deny",
      rule,
      hasServerText: false,
      outcome: refused("RESULT_WITHHELD", WITHHELD),
      detail: { ...ending.detail, outcome: "withheld", error_code: "RESULT_WITHHELD" },
    };
  }
}

const DELIVERED: DeliveryDecision = { delivers: true, rule: "", redactFields: [], keepFields: [], advisory: null };

/** The error for a server's question that the agent does not get. */
export function questionWithheld(): CmcpError {
  return new CmcpError("RESULT_WITHHELD", "policy does not let the server's question be delivered", {
    detail: { sent: 1 },
  });
}

/** What of an outcome the server chose; `null` if nothing. */
function contentOf(outcome: Outcome): JsonObject | null {
  switch (outcome.kind) {
    case "result":
      return Object.keys(outcome.result).length === 0 ? null : outcome.result;
    case "input":
      return outcome.inputRequests;
    case "task": {
      const { statusMessage } = outcome.task;
      const content = { ...outcome.ending, ...(statusMessage === null ? {} : { statusMessage }) };
      return Object.keys(content).length === 0 ? null : content;
    }
    case "error":
      return outcome.rpc === undefined ? null : { error: { ...outcome.rpc } };
  }
}

/** The result of a call, or of the task that it became; `null` where there is none. */
function resultIn(outcome: Outcome): JsonObject | null {
  if (outcome.kind === "result") return outcome.result;
  const result = outcome.kind === "task" ? outcome.ending.result : undefined;
  return isJsonObject(result) ? result : null;
}

function redactedDecision({ decision }: Permit): Permit["decision"] {
  return decision === "advisory_deny" ? decision : "redact";
}

/** What either decision takes out. Free text stays where each that redacts keeps it. */
function redactionOfBoth(
  permit: Permit,
  { redactFields, keepFields }: DeliveryDecision,
): Pick<Permit, "redactFields" | "keepFields"> {
  if (permit.redactFields.length === 0) return { redactFields, keepFields };
  return {
    redactFields: [...new Set([...permit.redactFields, ...redactFields])].sort(),
    keepFields: permit.keepFields.filter((field) => keepFields.includes(field)),
  };
}

/** Counts of what was found in the arguments of a call, if some rule asked. */
export function argumentDetail({ policyRequest }: Call, { content }: Pick<DeliveryPorts, "content">): Detail {
  const asked = content.askedOfArguments(policyRequest);
  return asked === null ? {} : findingsDetail("argument", asked);
}

/** Counts of findings by class, those that are not zero. */
function findingsDetail(of: "argument" | "result", found: Findings): Detail {
  const counts: Detail = {
    secrets: found.secrets,
    personal_data: found.personalData,
    contacts: found.contacts,
    injection_marks: found.injectionMarks,
    injection_score: found.injectionScore,
    hidden_text: found.hiddenText ? 1 : 0,
    carrying_links: found.carryingLinks,
    incomplete: found.complete ? 0 : 1,
  };
  return Object.fromEntries(
    Object.entries(counts).flatMap(([name, count]) => (count === 0 ? [] : [[`${of}_findings_${name}`, count]])),
  );
}
