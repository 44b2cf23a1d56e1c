import { Agent, type CallOutcome } from "../../demo/agent.ts";
import { TOKEN } from "./deployment.ts";
import { receiptOf } from "./receipts.ts";

const CALLS = [
  ["send_message", { to: "a@example.org", text: "early" }],
  ["get_patient_record", { patient_id: "P-1001" }],
  ["send_message", { to: "a@example.org", text: "late" }],
] as const;

/** What one session came to: whether each call was allowed, and under which policy. */
export interface Decisions {
  readonly decided: readonly boolean[];
  readonly policies: readonly string[];
  readonly outcomes: readonly CallOutcome[];
  readonly session: string;
}

/** One session through the agents' endpoint: a message, a record, a message. The example's policy forbids the last. */
export async function decisions(mcp: string): Promise<Decisions> {
  const agent = await Agent.connect(mcp, TOKEN, "sessions");
  try {
    const outcomes: CallOutcome[] = [];
    for (const [tool, args] of CALLS) outcomes.push(await agent.call(tool, args));
    const receipts = outcomes.map(receiptOf);
    return {
      decided: outcomes.map(({ allowed }) => allowed),
      policies: receipts.map((receipt) => receipt.policy_hash),
      outcomes,
      session: receipts[0]?.session_id ?? "",
    };
  } finally {
    await agent.close();
  }
}
