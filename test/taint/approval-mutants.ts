import type { Edit } from "./mutants.ts";

/** One guard of approvals. A test of the enclave's parts kills the mutant without it. */
export interface TestedMutant {
  /** What is deleted. */
  readonly name: string;
  /** Source file, from the root. */
  readonly file: string;
  /** A text that stands once in it, and what stands in its place. */
  readonly edit: Edit;
  /** The test file that fails then, from the root. */
  readonly test: string;
}

const CALL = "packages/enclave/src/call";
const [APPROVE, PENDING, REQUEST] = [
  `${CALL}/approve.ts`,
  `${CALL}/pending-approvals.ts`,
  `${CALL}/approval-request.ts`,
];
const ENDPOINT = "packages/enclave/src/http/approvals.ts";
const [CALLS, RESULTS, ROUNDS, KEYS, ANSWERS] = [
  `${CALL}/approve.test.ts`,
  `${CALL}/approve-results.test.ts`,
  `${CALL}/approve-rounds.test.ts`,
  `${CALL}/approval-request.test.ts`,
  "packages/enclave/src/http/approvals.test.ts",
];

/** Every guard between a call that waits and its sending. */
export const APPROVAL_MUTANTS: readonly TestedMutant[] = [
  {
    name: "that a waiting or denied call is not lifted",
    file: APPROVE,
    edit: [
      'if (found === undefined || pending.standing(found)?.state !== "approved") return false;',
      "if (found === undefined) return false;",
    ],
    test: CALLS,
  },
  {
    name: "that a held result waits until it is approved",
    file: APPROVE,
    edit: ['if (this.#ports.pending.standing(waiting)?.state !== "approved")', "if (false)"],
    test: RESULTS,
  },
  {
    name: "that a task's approval is of the rules in force",
    file: APPROVE,
    edit: ["isOfRules(made, this.#call) && made.rules.has(refusal.rule)", "made?.rules.has(refusal.rule) === true"],
    test: ROUNDS,
  },
  {
    name: "that a task's approval is of the same rule",
    file: APPROVE,
    edit: ["isOfRules(made, this.#call) && made.rules.has(refusal.rule)", "isOfRules(made, this.#call)"],
    test: ROUNDS,
  },
  {
    name: "that a task's approval is not of its answers",
    file: APPROVE,
    edit: ['request.method === "tasks/update" ? undefined : task?.approval', "task?.approval"],
    test: ROUNDS,
  },
  {
    name: "that an approval is used up",
    file: PENDING,
    edit: ["    this.#drop(stored);\n    return true;", "    return true;"],
    test: CALLS,
  },
  {
    name: "that an approval ends",
    file: PENDING,
    edit: [
      "if (stored === undefined || stored.until > this.#now()) return stored;",
      "if (stored !== undefined) return stored;",
    ],
    test: CALLS,
  },
  {
    name: "that an approver counts once",
    file: PENDING,
    edit: [
      "if (stored.answers.has(approver) || stored.recording.has(approver))",
      "if (stored.recording.has(approver))",
    ],
    test: CALLS,
  },
  {
    name: "that one denial is enough",
    file: PENDING,
    edit: ["if (denial !== undefined) return", "if (denial !== undefined && given.length === 0) return"],
    test: CALLS,
  },
  {
    name: "the number of approvers",
    file: PENDING,
    edit: ["approvers.length >= request.needed", "approvers.length >= 1"],
    test: CALLS,
  },
  {
    name: "that approvals end with their session",
    file: PENDING,
    edit: [
      "if (stored.recorded.session.id === session) this.#drop(stored);",
      "if (session === null) this.#drop(stored);",
    ],
    test: ANSWERS,
  },
  {
    name: "whose call an approval is of",
    file: REQUEST,
    edit: ["const whose = [principalId, id, recorded.id, caller.channel];", "const whose = [id === principalId];"],
    test: KEYS,
  },
  {
    name: "the channel in what an approval is of",
    file: REQUEST,
    edit: [
      "const whose = [principalId, id, recorded.id, caller.channel];",
      "const whose = [principalId, id, recorded.id, caller === null];",
    ],
    test: KEYS,
  },
  {
    name: "the arguments in what an approval is of",
    file: REQUEST,
    edit: [
      "[whose, method, name, target, args, workflowId,",
      "[whose, method, name, target, args === null, workflowId,",
    ],
    test: CALLS,
  },
  {
    name: "the task in what an approval is of",
    file: REQUEST,
    edit: ["const asTask = task === null ? null : [task.ttlMs];", "const asTask = task === undefined;"],
    test: ROUNDS,
  },
  {
    name: "the answers in what an approval is of",
    file: REQUEST,
    edit: ["{ ...input.responses }, input.state];", "{}, input.state];"],
    test: ROUNDS,
  },
  {
    name: "policy, catalog and rule in what an approval is of",
    file: REQUEST,
    edit: [
      ".update(canonicalText([policy.bundle.hash, catalog.hash, rule]))",
      ".update(canonicalText([policy === null, catalog === null, rule === null]))",
    ],
    test: CALLS,
  },
  {
    name: "that an answer is to this request",
    file: ENDPOINT,
    edit: [
      "if (answer.approval_id !== pending.request.approval_id || answer.request_hash !== pending.hash)",
      "if (false)",
    ],
    test: ANSWERS,
  },
  {
    name: "the signature of an answer",
    file: ENDPOINT,
    edit: ["await verifyAnswer(webcrypto, approver, signed);", "void verifyAnswer;"],
    test: ANSWERS,
  },
  {
    name: "that an approver may answer this request",
    file: ENDPOINT,
    edit: [
      "if (pending === undefined || !pending.request.approvers.includes(approver.id))",
      "if (pending === undefined)",
    ],
    test: ANSWERS,
  },
  {
    name: "that an answer is recorded before it counts",
    file: ENDPOINT,
    edit: ["await record(parts, { pending, approver }, signed);", "void record(parts, { pending, approver }, signed);"],
    test: ANSWERS,
  },
];
