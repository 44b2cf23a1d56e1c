import { latin1, concatBytes, EMPTY } from "../bytes.ts";
import { varint } from "../varint.ts";
import { FRAMING, type Field, type RequestHead, type ResponseHead } from "./message.ts";
import {
  checkFinalStatus,
  checkInformational,
  checkRequestControl,
  FieldSection,
  invalid,
  isInformational,
} from "./rules.ts";

/** What follows the head of a message whose length is known. */
export interface KnownBody {
  readonly content?: Uint8Array;
  readonly trailers?: readonly Field[];
}

/** A request of known length (RFC 9292 section 3.1). @throws CmcpError `BINARY_HTTP_INVALID`, `BINARY_HTTP_TOO_LARGE` */
export function encodeRequest(head: RequestHead, body: KnownBody = {}): Uint8Array {
  const parts = [varint(FRAMING.knownRequest), requestControl(head), knownSection(head.fields)];
  return concatBytes(...parts, ...knownBody(body));
}

/** A response of known length (RFC 9292 section 3.1). @throws CmcpError `BINARY_HTTP_INVALID`, `BINARY_HTTP_TOO_LARGE` */
export function encodeResponse(head: ResponseHead, body: KnownBody = {}): Uint8Array {
  return concatBytes(varint(FRAMING.knownResponse), responseControl(head, knownSection), ...knownBody(body));
}

/** What follows the head of a message whose length is not known when it begins. */
export interface StreamedBody {
  readonly content: AsyncIterable<Uint8Array>;
  readonly trailers?: readonly Field[];
}

/**
 * A request of indeterminate length (RFC 9292 section 3.2). The head is one piece, each piece of content another.
 *
 * @throws CmcpError `BINARY_HTTP_INVALID`, `BINARY_HTTP_TOO_LARGE`
 */
export async function* streamRequest(head: RequestHead, body: StreamedBody): AsyncGenerator<Uint8Array, void, void> {
  yield concatBytes(varint(FRAMING.indeterminateRequest), requestControl(head), openSection(head.fields));
  yield* streamedBody(body);
}

/**
 * A response of indeterminate length (RFC 9292 section 3.2). The head is one piece, each piece of content another.
 *
 * @throws CmcpError `BINARY_HTTP_INVALID`, `BINARY_HTTP_TOO_LARGE`
 */
export async function* streamResponse(head: ResponseHead, body: StreamedBody): AsyncGenerator<Uint8Array, void, void> {
  yield concatBytes(varint(FRAMING.indeterminateResponse), responseControl(head, openSection));
  yield* streamedBody(body);
}

/** Content, which can be large, and trailers, in parts. */
function knownBody({ content = EMPTY, trailers = [] }: KnownBody): readonly Uint8Array[] {
  return [varint(content.length), content, knownSection(trailers)];
}

async function* streamedBody({ content, trailers = [] }: StreamedBody): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of content) if (piece.length > 0) yield prefixed(piece);
  yield concatBytes(varint(0), openSection(trailers));
}

function requestControl(head: RequestHead): Uint8Array {
  checkRequestControl(head);
  const { method, scheme, authority, path } = head;
  return concatBytes(...[method, scheme, authority, path].map((text) => prefixed(latin1(text))));
}

function responseControl(
  { informational, status, fields }: ResponseHead,
  section: (fields: readonly Field[]) => Uint8Array,
): Uint8Array {
  checkInformational(informational.length);
  for (const one of informational)
    if (!isInformational(one.status)) throw invalid(`${one.status} is no informational status; 100 to 199 are`);
  checkFinalStatus(status);
  const parts = [...informational, { status, fields }];
  return concatBytes(...parts.flatMap((part) => [varint(part.status), section(part.fields)]));
}

function fieldLines(fields: readonly Field[]): Uint8Array {
  const section = new FieldSection();
  for (const field of fields) section.add(field);
  return concatBytes(...section.fields.flatMap(({ name, value }) => [prefixed(latin1(name)), prefixed(latin1(value))]));
}

/** A field section behind its length. */
function knownSection(fields: readonly Field[]): Uint8Array {
  return prefixed(fieldLines(fields));
}

/** A field section with the zero that ends it. */
function openSection(fields: readonly Field[]): Uint8Array {
  return concatBytes(fieldLines(fields), varint(0));
}

function prefixed(bytes: Uint8Array): Uint8Array {
  return concatBytes(varint(bytes.length), bytes);
}
