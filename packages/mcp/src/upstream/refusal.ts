import { CmcpError, type JsonValue } from "@cmcp/boundary";
import type { RpcFailure } from "../jsonrpc/message.ts";

/**
 * A server's JSON-RPC error: a definite refusal. Its text and data are the server's own words; they stay out of
 * `message`, so that no log has them, and are for the caller alone once they were inspected.
 */
export class UpstreamRefusal extends CmcpError {
  readonly rpcCode: number;
  readonly rpcMessage: string;
  readonly rpcData: JsonValue | undefined;

  constructor(error: RpcFailure["error"], detail: Readonly<Record<string, string | number>> = {}) {
    super("UPSTREAM_CALL_REFUSED", `the tool server refused the request with JSON-RPC error ${error.code}`, {
      detail: { sent: 1, ...detail, rpc_code: error.code },
    });
    this.rpcCode = error.code;
    this.rpcMessage = error.message;
    this.rpcData = error.data;
  }
}
