import type { ReadBundle } from "./bundle/read-bundle.ts";
import type { Verdict } from "./verdict.ts";

/** What a verdict says of calls that people let through, by approvals or permissions; nothing where there are none. */
export function approvedCalls({
  approvals: { calls },
  disclosures: { calls: disclosed },
}: Pick<ReadBundle, "approvals" | "disclosures">): Pick<Verdict, "approvals" | "disclosures"> {
  return {
    ...(calls.length === 0 ? {} : { approvals: calls }),
    ...(disclosed.length === 0 ? {} : { disclosures: disclosed }),
  };
}
