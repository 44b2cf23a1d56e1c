import process from "node:process";
import {
  CmcpError,
  isJsonObject,
  parseJson,
  receivedError,
  untrusted,
  type JsonObject,
  type JsonValue,
} from "@cmcp/boundary";
import { required } from "../arguments.ts";

const LIMITS = { maxBytes: 64 * 1024 * 1024, maxDepth: 32, maxItems: 2_000_000 };
const TIMEOUT_MS = 60_000;

/** Environment variable that a bearer token is read from when no other is named. */
export const TOKEN_VARIABLE = "CMCP_BEARER_TOKEN";

/** A session's session_id, handle or label, where a path can name it (the host forwards no other). */
const SESSION_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** The session that `--session` names. @throws CmcpError `USAGE` */
export function sessionName(option: string | undefined): string {
  const name = required(option, "--session");
  if (!SESSION_NAME.test(name))
    throw new CmcpError(
      "USAGE",
      "--session is a session's session_id, handle or label: 1 to 64 letters, digits, `_` and `-`",
    );
  return name;
}

/** A bearer token as a header can carry it (RFC 6750). Node's client would fail on any other without a clear error. */
const TOKEN = /^[\x21-\x7e]+$/;

/**
 * The bearer token in an environment variable; a token on the command line would show in process lists.
 * @throws CmcpError `USAGE`
 */
export function tokenFrom(variable: string): string {
  const token = process.env[variable];
  if (token === undefined || token === "")
    throw new CmcpError("USAGE", `${variable} is not set; it holds the bearer token`);
  if (!TOKEN.test(token))
    throw new CmcpError(
      "USAGE",
      `${variable} holds no bearer token: one is printable ASCII without spaces or line ends`,
    );
  return token;
}

/** The error for an answer that does not come from a gateway. @param why how it answered; the answer is not quoted */
export function notAGateway(base: string, why: string, cause?: unknown): CmcpError {
  return new CmcpError("GATEWAY_ANSWER_INVALID", `${originOf(base)} answered, but not as a gateway does: ${why}`, {
    cause,
  });
}

/**
 * One request to a gateway.
 * @throws CmcpError `USAGE` for a bad URL, `ENCLAVE_UNAVAILABLE` when nothing answers, `GATEWAY_ANSWER_INVALID` when
 * something else does, else the gateway's own error
 */
export async function ask(
  base: string,
  path: string,
  init: { method?: "POST"; token?: string; body?: object },
): Promise<JsonObject> {
  if (!URL.canParse(path, base))
    throw new CmcpError("USAGE", "--url is the gateway's address, such as http://127.0.0.1:8443");
  let status: number;
  let bytes: Uint8Array;
  try {
    const response = await fetch(new URL(path, base), {
      method: init.method ?? "GET",
      headers: {
        ...(init.token === undefined ? {} : { authorization: `Bearer ${init.token}` }),
        ...(init.body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
      // Not followed: the token is for this address, and a gateway sends nobody elsewhere.
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    status = response.status;
    bytes = await readBounded(response, base);
  } catch (thrown) {
    throw thrown instanceof CmcpError
      ? thrown
      : new CmcpError("ENCLAVE_UNAVAILABLE", `no gateway answers at ${originOf(base)}`, { cause: thrown });
  }
  const reply = read(bytes, status, base);
  if (status === 200) return reply;
  throw receivedError(reply) ?? notAGateway(base, `with status ${status} and no error of its own`);
}

/** The address without what else a URL may hold, which may be a secret. */
function originOf(base: string): string {
  return new URL(base).origin;
}

async function readBounded({ body }: Response, base: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > LIMITS.maxBytes) throw notAGateway(base, `with more than ${LIMITS.maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function read(bytes: Uint8Array, status: number, base: string): JsonObject {
  let reply: JsonValue;
  try {
    reply = parseJson(untrusted(bytes), LIMITS);
  } catch (thrown) {
    throw notAGateway(base, `with status ${status} and no JSON`, thrown);
  }
  if (!isJsonObject(reply)) throw notAGateway(base, `with status ${status} and no JSON object`);
  return reply;
}

/** The gateway that `--url` names. @throws CmcpError `USAGE` */
export function gatewayUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw new CmcpError("USAGE", "--url is the gateway's address, such as https://gateway.example");
  return new URL(`${url.origin}${url.pathname.replace(/\/*$/, "/")}`);
}
