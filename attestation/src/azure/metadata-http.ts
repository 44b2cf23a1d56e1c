import { request, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { asCmcpError, CmcpError } from "@cmcp/boundary";
import { MAX_ANSWER_BYTES, METADATA_HOST, type MetadataRequest, type MetadataService } from "./metadata.ts";

/** Longest time one request may take, in milliseconds; the quoting service takes a few seconds. */
const DEADLINE_MS = 30_000;

/**
 * The metadata service over a byte stream that the caller opens, because the enclave has no sockets: one request,
 * one stream. @param dial opens a stream to METADATA_HOST and METADATA_PORT
 */
export function metadataOver(
  dial: (signal: AbortSignal) => Promise<Duplex>,
  deadlineMs: number = DEADLINE_MS,
): MetadataService {
  return async (asked) => {
    const signal = AbortSignal.timeout(deadlineMs);
    let stream: Duplex | undefined;
    try {
      stream = await dial(signal);
      const response = await send(asked, stream, signal);
      return { status: response.statusCode ?? 0, body: await readBody(response) };
    } catch (thrown) {
      throw asCmcpError(thrown, "ATTESTATION_REPORT_UNAVAILABLE", "the instance metadata service cannot be reached");
    } finally {
      stream?.destroy();
    }
  };
}

function send(
  { method, path, headers, body }: MetadataRequest,
  stream: Duplex,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const length = body === null ? {} : { "content-length": body.length };
    const outgoing = request({
      host: METADATA_HOST,
      method,
      path,
      headers: { ...headers, ...length, connection: "close" },
      createConnection: () => stream,
      signal,
    });
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
    outgoing.end(body ?? undefined);
  });
}

async function readBody(response: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES)
      throw new CmcpError(
        "ATTESTATION_REPORT_UNAVAILABLE",
        `the instance metadata service answered with more than ${MAX_ANSWER_BYTES} bytes`,
      );
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
