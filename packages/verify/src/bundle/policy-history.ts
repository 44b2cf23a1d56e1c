import { callDetailSchema, policyDetailSchema, policyLoadDetailSchema } from "@cmcp/audit/schema";
import { LoadHistoryFold, type LoadHistory, type LoadKind } from "./load-history.ts";

/** Which policies a session ran under, by its own entries. */
export type PolicyHistory = LoadHistory<string>;

/** Every call names its policy. */
const POLICIES: LoadKind<string> = {
  name: "policy",
  plural: "policies",
  loads: "policy_load",
  start: ({ detail }) => {
    const start = policyDetailSchema.safeParse(detail).data;
    return start === undefined ? null : { hash: start.policy_hash, version: start.policy_version ?? null };
  },
  load: ({ detail }) => {
    const load = policyLoadDetailSchema.safeParse(detail).data;
    return load === undefined
      ? null
      : { hash: load.policy_hash, version: load.policy_version, previous: load.previous_policy_hash };
  },
  named: ({ detail }) =>
    detail?.["policy_hash"] === undefined ? null : (callDetailSchema.safeParse(detail).data?.policy_hash ?? ""),
  rootIsDefault: false,
  problem: () => null,
};

/** Follows the policies of a session. */
export class PolicyHistoryFold extends LoadHistoryFold<string> {
  constructor() {
    super(POLICIES);
  }
}
