import { receiptSchema, type Receipt } from "@cmcp/audit/schema";
import type { CallOutcome } from "../../demo/agent.ts";

/** The receipt that came with an answer, a refusal included. */
export function receiptOf({ receipt }: CallOutcome): Receipt {
  return receiptSchema.parse(receipt);
}
