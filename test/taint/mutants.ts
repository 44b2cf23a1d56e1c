/** One guard, and the enclave without it. */
export interface Mutant {
  /** What is deleted. */
  readonly name: string;
  /** Source file, from the root. */
  readonly file: string;
  /** Texts that stand once in it, and what stands in their place. */
  readonly edits: readonly Edit[];
  /** What else guards the same, elsewhere: it is deleted with it. */
  readonly also?: { readonly file: string; readonly edits: readonly Edit[] };
}

/** A text of a source, and what stands in its place. */
export type Edit = readonly [find: string, replace: string];

const CALL = "packages/enclave/src/call";
const MCP = "packages/mcp/src";
const INSPECTION = "packages/inspection/src";

/** Every rebuild, decision and hash of the call, each deleted by itself. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "the decision by policy",
    file: `${CALL}/decide-by-policy.ts`,
    edits: [
      [
        "if (through === null) return refuse(target, refusal);",
        'if (through === null) return proceed({ target, decision: "allow", rule: "", redactFields: [], keepFields: [], advisory: null });',
      ],
    ],
  },
  {
    name: "that a cancellation is no call",
    file: `${CALL}/pipeline.ts`,
    edits: [['if (governedMethod(arrived.request.method).kind === "cancellation")', "if (false)"]],
  },
  {
    name: "the reply to a cancellation that the gateway writes itself",
    file: `${CALL}/cancel.ts`,
    edits: [
      ["await received(", "const answer = await received("],
      [
        "return { ...reply, detail: { ...reply.detail, ...servers.detail } };\n  } catch",
        'return answer.kind === "complete" ? { ...reply, outcome: { kind: "result", result: answer.result } } : reply;\n  } catch',
      ],
    ],
  },
  {
    name: "the gateway's words for a cancellation that was refused",
    file: `${CALL}/cancel.ts`,
    edits: [["return withoutServerWords(fail(permit, thrown, servers.detail));", "return fail(permit, thrown);"]],
  },
  {
    name: "the hash over the messages before the result",
    file: `${CALL}/inspected-peer.ts`,
    edits: [
      [
        "const takeBack = this.#options.commitments.response.add({ method, params });",
        "const takeBack = () => undefined;",
      ],
    ],
  },
  {
    name: "the hash over questions",
    file: `${CALL}/inspected-peer.ts`,
    edits: [
      [
        "const takeBack = this.#options.commitments.response.add({ method, params: question });",
        "const takeBack = () => undefined;",
      ],
    ],
  },
  {
    name: "the hash over answers given meanwhile",
    file: `${CALL}/inspected-peer.ts`,
    edits: [["this.#options.commitments.answers.add({ method, answer });", ""]],
  },
  {
    name: "the hash over the answer",
    file: `${CALL}/record-and-reply.ts`,
    edits: [["commitments.response.add(committedMessage(body));", ""]],
  },
  {
    name: "parameters in the hash over the request",
    file: `${CALL}/call.ts`,
    edits: [
      [
        "canonicalText(committedRequest(request))",
        "canonicalText({ method: request.method, params: { name: request.name } })",
      ],
    ],
  },
  {
    name: "the inspection of notifications",
    file: `${CALL}/inspected-peer.ts`,
    edits: [
      [
        "const inspected = inspectNotification(method, params, this.#options);",
        "const inspected: JsonObject | null = params;",
      ],
    ],
    also: {
      file: `${MCP}/upstream/progress.ts`,
      edits: [["await this.#peer.notify(method, logParams(params));", "await this.#peer.notify(method, params);"]],
    },
  },
  {
    name: "the inspection of questions",
    file: `${CALL}/inspected-peer.ts`,
    edits: [
      [
        "const inspected = inspectQuestion(method, params, this.#options);",
        "const inspected: JsonObject | null = params;",
      ],
    ],
  },
  {
    name: "the inspection of what a retried request is asked",
    file: `${CALL}/inspected-peer.ts`,
    edits: [
      [
        "const inspected = inspectInputRequests(inputRequests, this.#options);",
        "const inspected = inputRequests as PendingQuestions | null;",
      ],
    ],
  },
  {
    name: "the rebuild of an agent's answer to a question",
    file: `${CALL}/inspected-peer.ts`,
    edits: [["return checked.value;", "return answer;"]],
  },
  {
    name: "that answers are to what was asked",
    file: `${CALL}/resume-input.ts`,
    edits: [
      [
        "if (question === undefined) continue;",
        "if (question === undefined) { rebuilt.push([id, answer]); continue; }",
      ],
    ],
  },
  {
    name: "that a task's answers need an open question",
    file: `${CALL}/resume-input.ts`,
    edits: [
      [
        "if (call.task !== null) return { serverState: null, questions: call.task.questions };",
        'return { serverState: null, questions: { question: { method: "elicitation/create", params: { mode: "form", ' +
          'message: "", requestedSchema: { type: "object", properties: { answer: { type: "string" } } } } } } };',
      ],
    ],
  },
  {
    name: "that an answered question is closed",
    file: `${CALL}/answer-task.ts`,
    edits: [
      ["ports.tasks.removeQuestions(call.recorded.session.id, task, Object.keys(request.input?.responses ?? {}));", ""],
    ],
  },
  {
    name: "the inspection of a server's error",
    file: `${CALL}/ending.ts`,
    edits: [
      [
        'return { ...outcome, rpc: inspectError(serverError, { withholdText, instead: "the tool server refused the call" }) };',
        "return { ...outcome, rpc: serverError };",
      ],
    ],
  },
  {
    name: "the rebuild of a task's state",
    file: `${CALL}/answer-task.ts`,
    edits: [
      [
        "const visibleState = withoutUnsafeText(permit, ports.tasks.update(session, task, state, questions));",
        "const visibleState = { ...withoutUnsafeText(permit, ports.tasks.update(session, task, state, questions)), " +
          "statusMessage: JSON.stringify(status) };",
      ],
    ],
  },
  {
    name: "closed objects in what servers say",
    file: `${INSPECTION}/shape/members.ts`,
    edits: [["const out: JsonObject = {};", "const out: JsonObject = { ...value };"]],
  },
  {
    name: "the rebuild of a tool's result",
    file: `${INSPECTION}/result/inspect.ts`,
    edits: [["const own = removeLookAlikes(read.result, stripped);", "const own = result;"]],
  },
  {
    name: "the rebuild of contents, prompts and completions",
    file: `${INSPECTION}/result/answer.ts`,
    edits: [["const own = removeLookAlikes(read as JsonObject, stripped);", "const own = result;"]],
  },
  {
    name: "the list of what goes on of a request's metadata",
    file: `${MCP}/protocol/trace.ts`,
    edits: [
      [
        "const { traceparent, tracestate } = meta;",
        "if (meta !== null) return meta;\n  const { traceparent, tracestate } = meta as JsonObject;",
      ],
    ],
  },
  {
    name: "closed client capabilities",
    file: `${MCP}/protocol/client-capabilities.ts`,
    edits: [
      [
        "const extensions = declared(value.extensions, [TASKS_EXTENSION]);",
        "if (value !== null) return value as ClientCapabilities;\n" +
          "  const extensions = declared((value as JsonObject).extensions, [TASKS_EXTENSION]);",
      ],
    ],
  },
  {
    name: "the refusal of a decision that the mode does not let through",
    file: `${CALL}/pipeline.ts`,
    edits: [
      [
        'if (decision.kind === "ending") {\n      const asked = approvals',
        'if (decision.kind === "ending" && decision.target !== null)\n      return await this.#runPermitted(call, ' +
          '{ target: decision.target, decision: "allow", rule: "", redactFields: [], keepFields: [], advisory: null } as Permit, ' +
          "{ peer, delivery: new DeliveryDecider(this.#ports.delivery, call, decision.target) });\n" +
          '    if (decision.kind === "ending") {\n      const asked = approvals',
      ],
    ],
  },
];
