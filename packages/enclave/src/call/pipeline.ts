import { CmcpError } from "@cmcp/boundary";
import { approvedOf } from "@cmcp/catalog";
import { governedMethod, type AgentRequest, type Peer, type RpcBody } from "@cmcp/mcp";
import type { Vocabulary } from "@cmcp/session";
import type { Caller } from "../access/caller.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { createCall, withAnswers, type Call, type CallPorts } from "./call.ts";
import { cancel, type CancelPorts } from "./cancel.ts";
import { checkDrift, type DriftPorts } from "./check-drift.ts";
import { dataLabel } from "./data-label.ts";
import type { Decider } from "./decide.ts";
import { DeliveryDecider, argumentDetail, type DeliveryPorts } from "./decide-delivery.ts";
import type { Detail, Ending, Step } from "./ending.ts";
import { keepDelivered } from "./find-flows.ts";
import { inspectResult, type InspectionPorts } from "./inspect-result.ts";
import { InspectedPeer, type InspectedPeerOptions } from "./inspected-peer.ts";
import { journalAnswer, journalIntent, type IntentPorts } from "./journal-intent.ts";
import type { Permit } from "./permit.ts";
import { QuestionDecider, type QuestionDeciderPorts } from "./decide-questions.ts";
import { recordAndReply, type RecordPorts } from "./record-and-reply.ts";
import type { RequestStates } from "./request-state.ts";
import { reserveTask } from "./reserve-task.ts";
import { resumeInput, type Input } from "./resume-input.ts";
import { sendUpstream, type SendPorts } from "./send-upstream.ts";
import type { TaskReservation, Tasks } from "./tasks.ts";
import { Transcript } from "./transcript.ts";

/** Most entries of one session. Its claim and its audit bundle stay within the limits of verifiers. */
const MAX_SESSION_ENTRIES = 40_000;

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
}

/** What a permitted call is sent with. */
interface Sending {
  readonly input: Input;
  readonly peer: InspectedPeer;
  readonly reservation: TaskReservation | null;
  readonly delivery: DeliveryDecider;
}

/**
 * Decides and runs a call. The stages, in order:
 *
 * 1. `checkKillSwitch`: the kill switch has not stopped the principal
 * 2. `resolveTarget`: find the approved tool, prompt or resource
 * 3. `checkWorkflow`: the caller may use the workflow
 * 4. `checkArguments`: the arguments match the approved schema
 * 5. `checkIntegrity`: a consequential tool is called in a trusted session
 * 6. `checkLimits`: rate limits, budgets and ceilings of sinks leave room
 * 7. `findFlows`: look for what the session was handed before in what is sent, where a rule reads it
 * 8. `decideByPolicy`: Cedar decides, and a permit carries the decision
 * 9. `resumeInput`: open the answers that come with a repeated request
 * 10. `reserveTask`: reserve room for a task
 * 11. `checkDrift`: the server still offers the approved definition
 * 12. `journalIntent`: the host's store holds the intent, and a quorum of witnesses has cosigned it where the log has any
 * 13. `sendUpstream`: send the request, receive the answer
 * 14. `inspectResult`: rebuild and redact the answer
 * 15. `decideDelivery`: detectors look at the answer; Cedar delivers, redacts or withholds it
 * 16. `recordAndReply`: raise the labels, keep what is delivered, write the entry, attach the receipt
 *
 * A stage continues with a value or returns an ending, which skips to stage 16. Stages 1 to 8 are in `decide.ts`.
 */
export class CallPipeline {
  readonly #ports: PipelinePorts;

  constructor(ports: PipelinePorts) {
    this.#ports = ports;
  }

  /** Runs one call. @throws CmcpError `SESSION_LIMIT_REACHED`, `AUDIT_STORE_UNAVAILABLE`, before anything is decided or sent */
  async run({ recorded, caller, request }: IncomingCall, peer: Peer): Promise<RpcBody> {
    if (recorded.chain.length >= MAX_SESSION_ENTRIES)
      throw new CmcpError(
        "SESSION_LIMIT_REACHED",
        `a session has at most ${MAX_SESSION_ENTRIES} entries; close it and open another`,
      );
    await this.#ports.start(recorded);
    const { tasks, questions, unnamedWorkflow } = this.#ports;
    const call = createCall(recorded, caller, request, { tasks, policy: questions.policy(), unnamedWorkflow });
    const transcript = new Transcript();
    const ending = await this.#decideAndRun(call, peer, transcript);
    return await recordAndReply(call, { ending, peer, transcript }, this.#ports.record);
  }

  /** Stages 1 to 14. A cancellation takes none of them but `journalIntent`: it is always allowed. */
  async #decideAndRun(call: Call, peer: Peer, transcript: Transcript): Promise<Ending> {
    const { cancel: ports, decider } = this.#ports;
    if (governedMethod(call.request.method).kind === "cancellation")
      return await cancel(call, { ...ports, journalIntent: (...intent) => this.#journal(...intent) });
    const decision = decider.decide(call);
    if (decision.kind === "ending")
      return { ...decision, detail: { ...argumentDetail(call, this.#ports.delivery), ...decision.detail } };
    const permit = decision.value;
    this.#logAdvisory(call, permit);
    const delivery = new DeliveryDecider(this.#ports.delivery, call, permit.target);
    const ending = await this.#runPermitted(call, permit, { peer, transcript, delivery });
    const { compartments } = delivery;
    return {
      ...ending,
      compartments,
      detail: { ...advisoryDetail(permit), ...permit.detail, ...delivery.detail, ...ending.detail },
    };
  }

  /** Stages 9 to 15, for a call that has its permit. */
  async #runPermitted(
    call: Call,
    permit: Permit,
    {
      peer,
      transcript,
      delivery,
    }: { readonly peer: Peer } & Pick<InspectedPeerOptions, "transcript"> & Pick<Sending, "delivery">,
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
      this.#inspectionOptions(call, permit, { reservation, questions, transcript, delivery }),
    );
    try {
      const ending = await this.#callServer(resumed, permit, {
        input: input.value,
        peer: inspected,
        reservation,
        delivery,
      });
      return { ...ending, requestHash: resumed.requestHash };
    } finally {
      inspected.release();
      reservation?.release();
    }
  }

  /** Stages 11 to 15. */
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
      transcript,
      delivery,
    }: Pick<InspectedPeerOptions, "questions" | "transcript"> & Pick<Sending, "reservation" | "delivery">,
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
      transcript,
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
