import process from "node:process";
import { CmcpError, isJsonObject, parseJson, untrusted, type ErrorCode, ERROR_CODES, type JsonObject } from "@cmcp/boundary";

const LIMITS = { maxBytes: 64 * 1024 * 1024, maxDepth: 32, maxItems: 2_000_000 };
const TIMEOUT_MS = 60_000;

/** Environment variable that a bearer token is read from when no other is named. */
export const TOKEN_VARIABLE = "CMCP_BEARER_TOKEN";

/** The bearer token in an environment variable; a token on the command line would show in process lists. @throws CmcpError `USAGE` */
export function tokenFrom(variable: string): string {
  const token = process.env[variable];
  if (token === undefined || token === "") throw new CmcpError("USAGE", `${variable} is not set; it holds the bearer token`);
  return token;
}

/**
 * One request to a gateway.
 * @throws CmcpError `USAGE` for a bad URL, `ENCLAVE_UNAVAILABLE` when nothing answers, else the gateway's own error
 */
export async function ask(base: string, path: string, init: { method?: "POST"; token?: string; body?: object }): Promise<JsonObject> {
  if (!URL.canParse(path, base)) throw new CmcpError("USAGE", "--url is the gateway's address, such as http://127.0.0.1:8443");
  let status: number;
  let bytes: Uint8Array;
  try {
    const response = await fetch(new URL(path, base), {
      method: init.method ?? "GET",
      headers: { ...(init.token === undefined ? {} : { authorization: `Bearer ${init.token}` }), ...(init.body === undefined ? {} : { "content-type": "application/json" }) },
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    status = response.status;
    bytes = await response.bytes();
  } catch (thrown) {
    throw new CmcpError("ENCLAVE_UNAVAILABLE", `no gateway answers at ${base}`, { cause: thrown });
  }
  const reply = parseJson(untrusted(bytes), LIMITS);
  if (!isJsonObject(reply)) throw new CmcpError("MCP_PARSE_FAILURE", "the gateway's answer is not an object");
  if (status === 200) return reply;
  throw refusal(reply, status);
}

function refusal({ error }: JsonObject, status: number): CmcpError {
  const { code, message } = isJsonObject(error ?? null) ? (error as JsonObject) : {};
  const known = typeof code === "string" && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : "TEE_FAULT";
  return new CmcpError(known, typeof message === "string" ? message : `the gateway answered with status ${status}`);
}
