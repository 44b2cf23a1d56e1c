import { signedKillSwitchSchema } from "@cmcp/audit";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Operators } from "../access/operators.ts";
import type { Journal } from "../record/journal.ts";
import type { PrincipalStops } from "../record/principal-stops.ts";
import { json } from "./json-response.ts";
import { readStatement } from "./operator-statement.ts";

/** What the kill switch's endpoints need. */
export interface KillSwitchPorts {
  readonly instance: string;
  readonly operators: Operators;
  readonly journal: Pick<Journal, "assertWritable">;
  readonly stops: Pick<PrincipalStops, "assertApplicable" | "trip" | "unblock">;
}

/** `/kill-switch/trip` and `/kill-switch/unblock`. An operator's signature authenticates them, not a bearer token. */
export const KILL_SWITCH_PATH = /^\/kill-switch\/(trip|unblock)$/;

/** `POST /kill-switch/{trip,unblock}`: an operator's signed statement stops a principal at once, or lets it go on. */
export async function operateKillSwitch(
  { instance, operators, journal, stops }: KillSwitchPorts,
  request: HttpRequest,
  act: string,
): Promise<HttpResponse> {
  const signed = await readStatement(request, signedKillSwitchSchema);
  operators.authenticate(signed);
  journal.assertWritable();
  const { statement } = signed;
  if (statement.instance !== instance || statement.purpose !== `kill-switch-${act}`)
    throw new CmcpError("OPERATOR_STATEMENT_MISMATCH", "the statement is for another instance or act");
  operators.assertNew(signed);
  stops.assertApplicable(signed);
  // Up to here nothing waited since the checks, so a statement counts once.
  operators.markApplied(signed);
  const { principal: agent_id } = statement;
  if (act === "unblock") {
    await stops.unblock(signed);
    return json({ status: "unblocked", agent_id });
  }
  const claim = await stops.trip(signed);
  return json({ status: "tripped", agent_id, ...(claim === null ? {} : { claim: claim as unknown as JsonObject }) });
}
