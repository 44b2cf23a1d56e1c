import { signedPolicyKeySchema } from "@cmcp/audit";
import { CmcpError } from "@cmcp/boundary";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Operators } from "../access/operators.ts";
import type { Journal } from "../record/journal.ts";
import type { PolicyKeys } from "../record/policy-keys.ts";
import { json } from "./json-response.ts";
import { readStatement } from "./operator-statement.ts";

/** What the endpoint of policy signing keys needs. */
export interface PolicyKeyEndpointPorts {
  readonly instance: string;
  readonly operators: Operators;
  readonly journal: Pick<Journal, "assertWritable">;
  readonly policyKeys: Pick<PolicyKeys, "assertApplicable" | "apply">;
}

/** An operator's signature authenticates it, not a bearer token. */
export const POLICY_KEYS_PATH = "/policy/keys";

/** `POST /policy/keys`: an operator's signed statement hands policy signing over to another key, or revokes one. */
export async function changePolicyKeys(
  { instance, operators, journal, policyKeys }: PolicyKeyEndpointPorts,
  request: HttpRequest,
): Promise<HttpResponse> {
  const signed = await readStatement(request, signedPolicyKeySchema);
  operators.authenticate(signed);
  journal.assertWritable();
  const { statement } = signed;
  if (statement.instance !== instance)
    throw new CmcpError("OPERATOR_STATEMENT_MISMATCH", "the statement is for another instance");
  operators.assertNew(signed);
  policyKeys.assertApplicable(signed);
  operators.markApplied(signed);
  await policyKeys.apply(signed);
  return json({
    status: statement.purpose === "policy-key-succeed" ? "succeeded" : "revoked",
    policy_key: statement.policy_key,
  });
}
