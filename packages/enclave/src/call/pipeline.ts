import { CmcpError } from "@cmcp/boundary";
import { approvedOf } from "@cmcp/catalog";
import { governedMethod, type AgentRequest, type Peer, type RpcBody } from "@cmcp/mcp";
import { sensitivityOfCall, type Vocabulary } from "@cmcp/session";
import type { Caller } from "../access/caller.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { createCall, withAnswers, type Call } from "./call.ts";
import { cancel, type CancelPorts } from "./cancel.ts";
import { checkDrift, type DriftPorts } from "./check-drift.ts";
import type { Decider } from "./decide.ts";
import type { Detail, Ending, Step } from "./ending.ts";
import { inspectResult, type InspectionPorts } from "./inspect-result.ts";
import { InspectedPeer } from "./inspected-peer.ts";
import { invokedToolOf } from "./invoked-tool.ts";
import { journalIntent, type IntentPorts } from "./journal-intent.ts";
import type { Permit } from "./permit.ts";
import { QuestionDecider, type QuestionDeciderPorts } from "./decide-questions.ts";
import { recordAndReply, type RecordPorts } from "./record-and-reply.ts";
import type { RequestStates } from "./request-state.ts";
import { reserveTask } from "./reserve-task.ts";
import { resumeInput, type Input } from "./resume-input.ts";
import { sendUpstream, type SendPorts } from "./send-upstream.ts";
import type { TaskReservation, Tasks } from "./tasks.ts";
import { Transcript } from "./transcript.ts";

/** Entries of one session; its claim and bundle stay within what verifiers read. */
const MAX_SESSION_ENTRIES = 40_000;

/** What the stages need, each its own. */
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
  readonly cancel: Omit<CancelPorts, "journalIntent">;
  readonly record: RecordPorts;
  /** Makes sure that a session can take an entry, its root first. @throws CmcpError `AUDIT_STORE_UNAVAILABLE` */
  readonly start: (recorded: RecordedSession) => Promise<void>;
}

/** A request with who sent it, and in which session. */
export interface IncomingCall {
  readonly recorded: RecordedSession;
  readonly caller: Caller;
  readonly request: AgentRequest;
}

/** A call's way through the gateway: one line of stages, and one entry at its end. */
export class CallPipeline {
  readonly #ports: PipelinePorts;

  constructor(ports: PipelinePorts) {
    this.#ports = ports;
  }

  /** @throws CmcpError `SESSION_LIMIT_REACHED`, `AUDIT_STORE_UNAVAILABLE`: then nothing was decided, and nothing left */
  async run({ recorded, caller, request }: IncomingCall, peer: Peer): Promise<RpcBody> {
    if (recorded.chain.length >= MAX_SESSION_ENTRIES)
      throw new CmcpError(
        "SESSION_LIMIT_REACHED",
        "the session holds as many entries as a claim can; close it and open another",
      );
    await this.#ports.start(recorded);
    const { tasks, questions } = this.#ports;
    const call = createCall(recorded, caller, request, { tasks, policy: questions.policy() });
    const transcript = new Transcript();
    const ending = await this.#end(call, peer, transcript);
    return await recordAndReply(call, { ending, peer, transcript }, this.#ports.record);
  }

  async #end(call: Call, peer: Peer, transcript: Transcript): Promise<Ending> {
    const { cancel: ports, decider } = this.#ports;
    if (governedMethod(call.request.method).kind === "cancellation")
      return await cancel(call, { ...ports, journalIntent: (...intent) => this.#journal(...intent) });
    const decision = decider.decide(call);
    if (decision.kind === "ending") return decision;
    const permit = decision.value;
    this.#report(call, permit);
    const ending = await this.#permitted(call, permit, peer, transcript);
    return { ...ending, detail: { ...advisoryDetail(permit), ...ending.detail } };
  }

  async #permitted(call: Call, permit: Permit, peer: Peer, transcript: Transcript): Promise<Ending> {
    const questions = new QuestionDecider(this.#ports.questions, call, permit.target);
    const input = resumeInput(call, permit, this.#ports.states, questions);
    if (input.kind === "ending") return input;
    const resumed = withAnswers(call, input.value?.responses ?? null);
    const reserved = reserveTask(resumed, permit, peer.capabilities, this.#ports.tasks);
    if (reserved.kind === "ending") return reserved;
    const reservation = reserved.value;
    const inspected = new InspectedPeer(peer, this.#terms(call, permit, { reservation, questions, transcript }));
    try {
      const ending = await this.#send(resumed, permit, { input: input.value, peer: inspected, reservation });
      return { ...ending, requestHash: resumed.requestHash };
    } finally {
      inspected.release();
      reservation?.release();
    }
  }

  async #send(
    call: Call,
    permit: Permit,
    {
      input,
      peer,
      reservation,
    }: { readonly input: Input; readonly peer: InspectedPeer; readonly reservation: TaskReservation | null },
  ): Promise<Ending> {
    const drift = await checkDrift(call, permit, this.#ports.drift);
    if (drift.kind === "ending") return drift;
    const intent = await this.#journal(call, permit);
    if (intent.kind === "ending") return intent;
    const answer = await sendUpstream(call, permit, { input, peer }, this.#ports.send);
    if (answer.kind === "ending") return answer;
    return inspectResult(call, permit, { answer: answer.value, peer, reservation }, this.#ports.inspection);
  }

  async #journal(call: Call, permit: Permit): Promise<Step<null>> {
    return await journalIntent(call, permit, this.#ports.intent);
  }

  #terms(
    call: Call,
    { target, redactFields }: Permit,
    {
      reservation,
      questions,
      transcript,
    }: { reservation: TaskReservation | null; questions: QuestionDecider; transcript: Transcript },
  ): ConstructorParameters<typeof InspectedPeer>[1] {
    const { vocabulary, inspection } = this.#ports;
    const shown = sensitivityOfCall(vocabulary, invokedToolOf(target), call.request.dataClass);
    return {
      taskId: call.task?.id ?? null,
      mayBecomeTask: reservation !== null,
      maxBytes: inspection.maxBytes,
      withholdText: redactFields.length > 0,
      mode: approvedOf(target).inspectionMode ?? "buffered",
      questions,
      transcript,
      onFirstMessage: () => call.recorded.session.raise(shown),
    };
  }

  /** Tells whoever watches the log of a call that only the mode lets through. */
  #report({ id }: Call, { advisory }: Permit): void {
    if (advisory !== null) this.#ports.questions.advisory(id, advisory.code);
  }
}

/** What policy said of a call that the mode let through, whatever became of it. */
function advisoryDetail({ advisory, rule }: Permit): Detail {
  if (advisory === null) return {};
  return { advisory_decision: advisory.decision, advisory_rule: rule, advisory_code: advisory.code };
}
