/** Binary HTTP messages read whole, and messages written without the rules. */
import { concatBytes, latin1 } from "../bytes.ts";
import { bytesOf, streamOf } from "./streams.ts";
import { varint } from "../varint.ts";
import type { Field, RequestHead, ResponseHead } from "../binary-http/message.ts";
import { readRequest, readResponse, type ReadMessage } from "../binary-http/read.ts";

/** Bounds that most tests read under, in bytes. */
export const LIMITS = { contentBytes: 1_000, paddingBytes: 1_000 };

/** A message with all of its content, as Latin-1. */
export interface Whole<Head> {
  readonly head: Head;
  readonly content: string;
  readonly trailers: readonly Field[];
}

/** Reads a message to its end. */
export async function whole<Head>(message: ReadMessage<Head>): Promise<Whole<Head>> {
  const content = Buffer.from(await bytesOf(message.content)).toString("latin1");
  return { head: message.head, content, trailers: message.trailers() };
}
/** Reads a request whole. Errors: `BINARY_HTTP_INVALID`, `BINARY_HTTP_TOO_LARGE`. */
export const request = async (bytes: Uint8Array, limits = LIMITS): Promise<Whole<RequestHead>> =>
  await whole(await readRequest(streamOf(bytes), limits));
/** Reads a response whole. Errors: `BINARY_HTTP_INVALID`, `BINARY_HTTP_TOO_LARGE`. */
export const response = async (bytes: Uint8Array, limits = LIMITS): Promise<Whole<ResponseHead>> =>
  await whole(await readResponse(streamOf(bytes), limits));
/** A field of a message. */
export const field = (name: string, value: string): Field => ({ name, value });

/** A request without fields. */
export const REQUEST: RequestHead = { method: "POST", scheme: "https", authority: "a", path: "/", fields: [] };
/** A response without fields. */
export const RESPONSE: ResponseHead = { informational: [], status: 200, fields: [] };
/** A message written without the writer's rules. */
export const raw = (...parts: readonly (string | number)[]): Uint8Array =>
  concatBytes(
    ...parts.map((part) => (typeof part === "number" ? varint(part) : concatBytes(varint(part.length), latin1(part)))),
  );
