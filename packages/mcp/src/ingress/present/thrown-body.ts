import { RPC } from "../../jsonrpc/reply.ts";
import { refused, type Outcome, type RpcBody } from "../../protocol/outcome.ts";
import { asRefusal } from "../refusal.ts";

/**
 * What an agent is answered when its request was thrown out. A refusal by the gateway is an outcome like any other; what the
 * protocol has an error for keeps that error.
 * @param status of an error of the protocol's, where it is not the error's own
 */
export function thrownBody(thrown: unknown, present: (outcome: Outcome) => RpcBody, status?: number): RpcBody {
  const refusal = asRefusal(thrown);
  const { code, message, rpcCode, data } = refusal;
  if (rpcCode === RPC.refused || rpcCode === RPC.internalError) return present(refused(code, message));
  return { error: { code: rpcCode, message, data }, status: status ?? refusal.status };
}
