import { MAX_STATEMENT_BYTES } from "@cmcp/audit";
import { CmcpError, parseJson, schemaProblem, untrusted } from "@cmcp/boundary";
import type { HttpRequest } from "@cmcp/mcp";
import type * as z from "zod";

/**
 * Reads an operator's signed statement.
 * @throws CmcpError `METHOD_NOT_ALLOWED`, `MCP_INVALID_REQUEST` for anything that is not one of at most 8 KiB
 */
export async function readStatement<T>(request: HttpRequest, schema: z.ZodType<T>): Promise<T> {
  if (request.method !== "POST") throw new CmcpError("METHOD_NOT_ALLOWED", "this path does not support the method");
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_STATEMENT_BYTES)
      throw new CmcpError("MCP_INVALID_REQUEST", `an operator's statement has at most ${MAX_STATEMENT_BYTES} bytes`);
    chunks.push(chunk);
  }
  const bytes = untrusted(new Uint8Array(Buffer.concat(chunks)));
  const parsed = schema.safeParse(parseJson(bytes, { maxBytes: MAX_STATEMENT_BYTES, maxDepth: 4, maxItems: 32 }));
  if (!parsed.success)
    throw new CmcpError("MCP_INVALID_REQUEST", `the statement is not valid: ${schemaProblem(parsed.error).text}`);
  return parsed.data;
}
