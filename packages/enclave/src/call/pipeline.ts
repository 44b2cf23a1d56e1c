import { approvedOf } from "@cmcp/catalog";
import type { CallKey } from "@cmcp/audit";
import { governedMethod, type AgentRequest, type Peer, type RpcBody } from "@cmcp/mcp";
import type { Vocabulary } from "@cmcp/session";
import type { Caller } from "../access/caller.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { createCall, withAnswers, type Call, type CallPorts } from "./call.ts";
import { openApprovalState } from "./approval-state.ts";
import { approvalBeside, CallApprovals, type ApprovalPorts } from "./approve.ts";
import { cancel, type CancelPorts } from "./cancel.ts";
import { CallDisclosure, type DisclosurePorts } from "./disclose.ts";
import { checkDrift, type DriftPorts } from "./check-drift.ts";
import { dataLabel } from "./data-label.ts";
import type { Decider } from "./decide.ts";
import { CallEgress, type EgressPorts } from "./decide-egress.ts";
import { DeliveryDecider, argumentDetail, type DeliveryPorts } from "./decide-delivery.ts";
import { proceed, type Detail, type Ending, type HeldResult, type Step } from "./ending.ts";
import { keepDelivered } from "./find-flows.ts";
import { inspectResult, type InspectionPorts } from "./inspect-result.ts";
import { InspectedPeer, type InspectedPeerOptions } from "./inspected-peer.ts";
import { journalAnswer, journalIntent, type IntentPorts } from "./journal-intent.ts";
import type { Permit } from "./permit.ts";
import { QuestionDecider, type QuestionDeciderPorts } from "./decide-questions.ts";
import { recordAndReply, type RecordPorts } from "./record-and-reply.ts";
import type { RequestStates } from "./request-state.ts";
import { reserveTask } from "./reserve-task.ts";
import { requireConsent } from "./require-consent.ts";
import { resumeInput, type Input } from "./resume-input.ts";
import { sendUpstream, type SendPorts } from "./send-upstream.ts";
import type { TaskReservation, Tasks } from "./tasks.ts";
import { decideOrWait, type Decided, type Deferrals, type WhileWaiting } from "./wait-deferred.ts";

/** What the stages need. Each stage gets its own ports and nothing else. */
export interface PipelinePorts {
  readonly vocabulary: Vocabulary;
  readonly decider: Decider;
  readonly questions: QuestionDeciderPorts;
  readonly states: RequestStates;
  readonly tasks: Tasks;
  readonly drift: DriftPorts;
  readonly intent: IntentPorts;
  readonly send: SendPorts;
  readonly inspection: InspectionPorts;
  readonly delivery: DeliveryPorts;
  readonly egress: EgressPorts;
  readonly approvals: ApprovalPorts;
  readonly deferrals: Deferrals;
  readonly disclosures: DisclosurePorts;
  readonly cancel: Omit<CancelPorts, "journalIntent">;
  readonly record: RecordPorts;
  readonly unnamedWorkflow: CallPorts["unnamedWorkflow"];
  /** Writes the session's root entry if there is none yet. @throws CmcpError `AUDIT_STORE_UNAVAILABLE` */
  readonly start: (recorded: RecordedSession) => Promise<void>;
}

/** A request, its caller and its session. */
export interface IncomingCall {
  readonly recorded: RecordedSession;
  readonly caller: Caller;
  readonly request: AgentRequest;
  /** The key that was taken for it; absent for a call without one. */
  readonly keyed?: CallKey | null;
}

/** What a permitted call is sent with. */
interface Sending {
  readonly input: Input;
  readonly peer: InspectedPeer;
  readonly reservation: TaskReservation | null;
  readonly delivery: DeliveryDecider;
}

/** How a call arrives. */
interface Arrival {
  readonly peer: Peer;
  /** The approval whose state came with it; `null` for none. */
  readonly askedFor: string | null;
  readonly whileWaiting: WhileWaiting;
}

/** A call as it was decided, and how it ended. */
interface Ended {
  readonly call: Call;
  readonly ending: Ending;
}

/**
 * Decides and runs a call. The stages, in order:
 *
 * 1. `checkKillSwitch`: the kill switch has not stopped the principal
 * 2. `checkManifest`: the agent manifest of the session still counts
 * 3. `resolveTarget`: find the approved tool, prompt or resource
 * 4. `checkWorkflow`: the caller may use the workflow
 * 5. `checkArguments`: the arguments match the approved schema
 * 6. `checkIntegrity`: a consequential tool is called in a trusted session
 * 7. `checkLimits`: rate limits, budgets and ceilings of sinks leave room
 * 8. `findFlows`: look for what the session was handed before in what is sent, where a rule reads it
 * 9. `decideByPolicy`: Cedar decides, and a permit carries the decision. Where approvals lift a refusal of stage 6 or 9,
 *    stages 2 to 9 run again without it; where they could, the call waits for them (`approve.ts`). A call that a
 *    rule defers waits a bounded time, and takes stages 1 to 9 again on the facts of then (`wait-deferred.ts`). An owner's
 *    permission to send exactly this call lifts a refusal of stage 9 as approvals do (`disclose.ts`). A repeated
 *    call whose result waits for approvals takes none of the stages before 16: nothing is sent
 * 10. `resumeInput`: open the answers that come with a repeated request
 * 11. `reserveTask`: reserve room for a task
 * 12. `checkDrift`: the server still offers the approved definition
 * 13. `journalIntent`: the host's store holds the intent, and a quorum of witnesses has cosigned it where the log has any
 * 14. `sendUpstream`: send the request, receive the answer
 * 15. `inspectResult`: rebuild and redact the answer
 * 16. `decideDelivery`: detectors look at the answer; Cedar delivers, redacts or withholds it
 * 17. `recordAndReply`: raise the labels, keep what is delivered, write the entry, attach the receipt
 *
 * A stage continues with a value or returns an ending, which skips to stage 17. Stages 1 to 9 are in `decide.ts`.
 */
export class CallPipeline {
  readonly #ports: PipelinePorts;

  constructor(ports: PipelinePorts) {
    this.#ports = ports;
  }

  /**
   * Runs one call.
   * @param whileWaiting frees the slot of a running request while the call waits
   * @throws CmcpError `AUDIT_STORE_UNAVAILABLE`, before anything is decided or sent
   */
  async run(
    { recorded, caller, request, keyed = null }: IncomingCall,
    peer: Peer,
    whileWaiting: WhileWaiting,
  ): Promise<RpcBody> {
    await this.#ports.start(recorded);
    const { tasks, questions, unnamedWorkflow } = this.#ports;
    const rules = questions.rules();
    const { states } = this.#ports.approvals;
    const { request: arrived, askedFor } = openApprovalState({ recorded, request }, states);
    const created = createCall(recorded, caller, arrived, { tasks, rules, unnamedWorkflow, keyed });
    const { call, ending: ended } = await this.#decideAndRun(created, { peer, askedFor, whileWaiting });
    const ending = requireConsent(call, ended, { peer, askedFor, states });
    try {
      return await recordAndReply(call, { ending, peer }, this.#ports.record);
    } finally {
      this.#ports.deferrals.changed(recorded.session.principalId);
    }
  }

  /** Stages 1 to 15. A cancellation takes none of them but `journalIntent`: it is always allowed. */
  async #decideAndRun(arrived: Call, { peer, askedFor, whileWaiting }: Arrival): Promise<Ended> {
    const { cancel: ports, decider, deferrals, questions } = this.#ports;
    if (governedMethod(arrived.request.method).kind === "cancellation") {
      const ending = await cancel(arrived, { ...ports, journalIntent: (...intent) => this.#journal(...intent) });
      return { call: arrived, ending };
    }
    const approvalsOf = (call: Call): CallApprovals =>
      new CallApprovals(this.#ports.approvals, call, new CallDisclosure(this.#ports.disclosures, call), askedFor);
    const first = approvalsOf(arrived);
    if (first.held !== null)
      return { call: arrived, ending: this.#deliverHeld(arrived, first, { held: first.held, peer }) };
    const conclude = (decided: Decided, waited: Detail): Step<Permit> => this.#conclude(decided, waited, peer);
    const deciding = { decider, deferrals, rules: questions.rules, approvals: approvalsOf, conclude };
    const { call, approvals, step } = await decideOrWait(arrived, peer, whileWaiting, deciding);
    if (step.kind === "ending") return { call, ending: step };
    return { call, ending: await this.#runDecided(call, approvals, { permit: step.value, peer }) };
  }

  /** A refused call waits for approvals where they could lift the refusal; a permitted one uses up what lifted it. */
  #conclude({ call, approvals, decision }: Decided, waited: Detail, peer: Peer): Step<Permit> {
    if (decision.kind === "ending") {
      const asked = approvals.require(this.#withAnswers(call, approvals, decision), peer);
      const ending = approvals.disclosure.explain(asked);
      return { ...ending, detail: { ...argumentDetail(call, this.#ports.delivery), ...ending.detail, ...waited } };
    }
    const { detail: approved, ...lifted } = approvals.use();
    const detail = { ...decision.value.detail, ...waited, ...approved, ...approvals.disclosure.use() };
    return proceed({ ...decision.value, ...lifted, detail });
  }

  /** Runs a call that has its permit, and decides the delivery. */
  async #runDecided(
    call: Call,
    approvals: CallApprovals,
    { permit, peer }: { readonly permit: Permit; readonly peer: Peer },
  ): Promise<Ending> {
    this.#logAdvisory(call, permit);
    const delivery = new DeliveryDecider(this.#ports.delivery, call, permit.target);
    const ending = approvals.hold(await this.#runPermitted(call, permit, { peer, delivery }), peer);
    const { compartments } = delivery;
    return {
      ...ending,
      compartments,
      detail: {
        ...advisoryDetail(permit),
        ...permit.detail,
        ...delivery.detail,
        ...ending.detail,
        ...approvalBeside(permit, ending),
      },
    };
  }

  /**
   * The refusal of a call that answers its server, with these answers. Approvers are shown them, and each can be sent only where its question
   * was asked and is still allowed. The state is not opened for that, and waits as long as the approval does.
   */
  #withAnswers(call: Call, approvals: CallApprovals, refused: Ending): Ending {
    const { target } = refused;
    if (call.request.input === null || target === null || !approvals.mayAsk(refused)) return refused;
    const { monotonic, seconds } = this.#ports.approvals;
    const until = monotonic() + seconds * 1000;
    const states: Pick<RequestStates, "open"> = {
      open: (context, state) => this.#ports.states.peek(context, state, until),
    };
    const questions = new QuestionDecider(this.#ports.questions, call, target);
    const input = resumeInput(call, { target }, states, questions);
    if (input.kind === "ending") return input;
    return { ...refused, ...(input.value === null ? {} : { answers: input.value.answers }) };
  }

  /** The ending of a call whose result waits for approvals: its delivery alone is decided, and nothing is sent. */
  #deliverHeld(
    call: Call,
    approvals: CallApprovals,
    { held, peer }: { readonly held: HeldResult; readonly peer: Peer },
  ): Ending {
    const { target } = held.permit;
    const checked = this.#ports.decider.checkHeld(call, target);
    if (checked.kind === "ending") return checked;
    const delivery = new DeliveryDecider(this.#ports.delivery, call, target);
    const ending = approvals.deliverHeld(peer, (result, lifted) =>
      delivery.endingOf(result.ending, result.permit, result.inspectAs, lifted),
    );
    return { ...ending, compartments: delivery.compartments, detail: { ...delivery.detail, ...ending.detail } };
  }

  /** Stages 10 to 16, for a call that has its permit. */
  async #runPermitted(
    call: Call,
    permit: Permit,
    { peer, delivery }: { readonly peer: Peer } & Pick<Sending, "delivery">,
  ): Promise<Ending> {
    const questions = new QuestionDecider(this.#ports.questions, call, permit.target);
    const input = resumeInput(call, permit, this.#ports.states, questions);
    if (input.kind === "ending") return input;
    const resumed = withAnswers(call, input.value?.responses ?? null);
    const reserved = reserveTask(resumed, permit, peer.capabilities, this.#ports.tasks);
    if (reserved.kind === "ending") return reserved;
    const reservation = reserved.value;
    const inspected = new InspectedPeer(
      peer,
      this.#inspectionOptions(call, permit, { reservation, questions, delivery }),
    );
    try {
      const ending = await this.#callServer(resumed, permit, {
        input: input.value,
        peer: inspected,
        reservation,
        delivery,
      });
      const { responses = null } = resumed.request.input ?? {};
      const answers = input.value === null ? {} : { answers: input.value.answers };
      return { ...ending, ...answers, requestHash: resumed.requestHash, inputResponses: responses };
    } finally {
      inspected.release();
      reservation?.release();
    }
  }

  /** Stages 12 to 16. */
  async #callServer(call: Call, permit: Permit, { input, peer, reservation, delivery }: Sending): Promise<Ending> {
    const drift = await checkDrift(call, permit, this.#ports.drift);
    if (drift.kind === "ending") return drift;
    const intent = await this.#journal(call, permit);
    if (intent.kind === "ending") return intent;
    delivery.noteArguments();
    const answer = await sendUpstream(call, permit, { input, peer }, this.#ports.send);
    if (answer.kind === "ending") return delivery.endingOf(answer, permit, () => answer);
    const inspectAs = (by: Permit): Ending =>
      inspectResult(call, by, { answer: answer.value, peer, reservation }, this.#ports.inspection);
    return delivery.endingOf(inspectAs(permit), permit, inspectAs);
  }

  async #journal(call: Call, permit: Permit): Promise<Step<null>> {
    return await journalIntent(call, permit, this.#ports.intent);
  }

  /** What the server may say to the agent before its result. */
  #inspectionOptions(
    call: Call,
    permit: Permit,
    {
      reservation,
      questions,
      delivery,
    }: Pick<InspectedPeerOptions, "questions"> & Pick<Sending, "reservation" | "delivery">,
  ): InspectedPeerOptions {
    const { vocabulary, inspection, intent } = this.#ports;
    const { target, redactFields } = permit;
    const label = dataLabel(vocabulary, call, target, true);
    return {
      taskId: call.task?.id ?? null,
      mayBecomeTask: reservation !== null,
      maxBytes: inspection.maxBytes,
      withholdText: redactFields.length > 0,
      mode: approvedOf(target).inspectionMode ?? "buffered",
      questions,
      delivery,
      egress: CallEgress.of(this.#ports.egress, call, target),
      commitments: call.commitments,
      onMessage: (message) => keepDelivered(call, target, label, message),
      beforeAnswer: async () => await journalAnswer(call, permit, intent),
      onFirstMessage: () => call.recorded.session.raise(label),
    };
  }

  /** Logs a call that policy refuses and the enforcement mode lets through. */
  #logAdvisory({ id }: Call, { advisory }: Permit): void {
    if (advisory !== null) this.#ports.questions.advisory(id, advisory.code);
  }
}

/** Policy's refusal of a call that the enforcement mode let through, for the entry. */
function advisoryDetail({ advisory, rule }: Permit): Detail {
  if (advisory === null) return {};
  return { advisory_decision: advisory.decision, advisory_rule: rule, advisory_code: advisory.code };
}
