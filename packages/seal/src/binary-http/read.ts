/** A reader of Binary HTTP (RFC 9292). Every byte is somebody else's; nothing is held but what a bound allows. */
import { PieceReader } from "../piece-reader.ts";
import { MAX_FIELDS, MAX_SECTION_BYTES, MAX_VALUE_BYTES, type MessageLimits } from "./limits.ts";
import { FRAMING, type Field, type InformationalResponse, type RequestHead, type ResponseHead } from "./message.ts";
import {
  checkFinalStatus,
  checkInformational,
  checkRequestControl,
  FieldSection,
  invalid,
  isInformational,
  tooLarge,
} from "./rules.ts";

/** Longest text of a message in bytes: no other is longer than a value. */
const MAX_TEXT_BYTES = MAX_VALUE_BYTES;
/** Longest known section as it is written: two lengths of at most eight bytes beside each name and value. */
const MAX_WRITTEN_SECTION = MAX_SECTION_BYTES + MAX_FIELDS * 16;

/** A message whose head was read. Its content comes as it arrives. */
export interface ReadMessage<Head> {
  readonly head: Head;
  /**
   * The content in pieces, read once. It ends where the whole message was read and is valid, padding included; before
   * that nothing says that the message is whole.
   */
  readonly content: AsyncIterable<Uint8Array>;
  /** The trailer, once {@link content} has ended; none before. */
  readonly trailers: () => readonly Field[];
  /** Tells the source that nothing more is read. */
  readonly close: () => Promise<void>;
}

/**
 * Reads the head of a request (RFC 9292 sections 3.1 and 3.2).
 *
 * @throws CmcpError `BINARY_HTTP_INVALID`, `BINARY_HTTP_TOO_LARGE`, and what the source throws; then the source is closed
 */
export async function readRequest(
  pieces: AsyncIterable<Uint8Array>,
  limits: MessageLimits,
): Promise<ReadMessage<RequestHead>> {
  return await readMessage(pieces, limits, async (reader, framing) => {
    const form = formOf(framing, FRAMING.knownRequest, FRAMING.indeterminateRequest);
    const method = await readText(reader, "method");
    const scheme = await readText(reader, "scheme");
    const authority = await readText(reader, "authority");
    const path = await readText(reader, "path");
    checkRequestControl({ method, scheme, authority, path });
    const head = { method, scheme, authority, path, fields: await readLastSection(reader, form) };
    return { form, head };
  });
}

/**
 * Reads the head of a response (RFC 9292 sections 3.1 and 3.2), informational responses included.
 *
 * @throws CmcpError `BINARY_HTTP_INVALID`, `BINARY_HTTP_TOO_LARGE`, and what the source throws; then the source is closed
 */
export async function readResponse(
  pieces: AsyncIterable<Uint8Array>,
  limits: MessageLimits,
): Promise<ReadMessage<ResponseHead>> {
  return await readMessage(pieces, limits, async (reader, framing) => {
    const form = formOf(framing, FRAMING.knownResponse, FRAMING.indeterminateResponse);
    const informational: InformationalResponse[] = [];
    let status = await readNumber(reader, "the status");
    while (isInformational(status)) {
      informational.push({ status, fields: await readSection(reader, form) });
      checkInformational(informational.length);
      status = await readNumber(reader, "the status");
    }
    checkFinalStatus(status);
    const head = { informational, status, fields: await readLastSection(reader, form) };
    return { form, head };
  });
}

/** Whether lengths stand before sections and content, or zeros end them. */
type Form = "known" | "indeterminate";

async function readMessage<Head>(
  pieces: AsyncIterable<Uint8Array>,
  limits: MessageLimits,
  readHead: (reader: PieceReader, framing: number) => Promise<{ readonly form: Form; readonly head: Head }>,
): Promise<ReadMessage<Head>> {
  const reader = new PieceReader(pieces);
  const close = async (): Promise<void> => await reader.close();
  try {
    const { form, head } = await readHead(reader, await readNumber(reader, "the framing indicator"));
    let trailers: readonly Field[] = [];
    const content = readBody(reader, form, limits, (read) => {
      trailers = read;
    });
    return { head, content, trailers: () => trailers, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

function formOf(framing: number, known: number, indeterminate: number): Form {
  if (framing === known) return "known";
  if (framing === indeterminate) return "indeterminate";
  throw invalid(`the framing indicator is ${framing}, and ${known} or ${indeterminate} was expected`);
}

/** Content, trailer and padding. */
async function* readBody(
  reader: PieceReader,
  form: Form,
  { contentBytes, paddingBytes }: MessageLimits,
  setTrailers: (trailers: readonly Field[]) => void,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    // RFC 9292 section 3.8: where content and trailer are empty, both may be left out.
    if (await reader.ended()) return;
    yield* readContent(reader, form, contentBytes);
    const trailers = await readLastSection(reader, form);
    await readPadding(reader, paddingBytes);
    setTrailers(trailers);
  } finally {
    await reader.close();
  }
}

/** One length and what it counts, or chunks up to one of no bytes. */
async function* readContent(reader: PieceReader, form: Form, maxBytes: number): AsyncGenerator<Uint8Array, void, void> {
  let allowed = maxBytes;
  for (let more = true; more; ) {
    const length = await readNumber(reader, "the content");
    if (length > allowed) throw tooLarge(`more than ${maxBytes} bytes of content`);
    allowed -= length;
    for (let left = length; left > 0; ) {
      const piece = await reader.some(left);
      if (piece === null) throw truncated("the content");
      left -= piece.length;
      yield piece;
    }
    more = form === "indeterminate" && length > 0;
  }
}

/** RFC 9292 section 3.8: zeros to the end. */
async function readPadding(reader: PieceReader, maxBytes: number): Promise<void> {
  let left = maxBytes;
  for (;;) {
    const piece = await reader.some(left + 1);
    if (piece === null) return;
    if (piece.length > left) throw tooLarge(`more than ${maxBytes} bytes of padding`);
    for (const byte of piece) if (byte !== 0) throw invalid("the padding has a byte that is not zero");
    left -= piece.length;
  }
}

/** A section that may be left out where nothing follows (RFC 9292 sections 3.1 and 3.8). */
async function readLastSection(reader: PieceReader, form: Form): Promise<readonly Field[]> {
  return (await reader.ended()) ? [] : await readSection(reader, form);
}

async function readSection(reader: PieceReader, form: Form): Promise<readonly Field[]> {
  if (form === "indeterminate") return await readFields(reader, form);
  const length = await readNumber(reader, "the length of a field section");
  if (length > MAX_WRITTEN_SECTION) throw tooLarge(`more than ${MAX_SECTION_BYTES} bytes of fields`);
  const section = await reader.take(length);
  if (section === null) throw truncated("a field section");
  return await readFields(new PieceReader(only(section)), form);
}

/** Field lines to the end of a known section, or to the zero that ends an indeterminate one. */
async function readFields(reader: PieceReader, form: Form): Promise<readonly Field[]> {
  const section = new FieldSection();
  for (;;) {
    const length = await readNameLength(reader, form);
    if (length === null) return section.fields;
    const name = await readBytes(reader, length, "field name");
    section.add({ name, value: await readText(reader, "field value") });
  }
}

/** The length of the next field's name; `null` where the section has no other field. */
async function readNameLength(reader: PieceReader, form: Form): Promise<number | null> {
  if (form === "known" && (await reader.ended())) return null;
  const length = await readNumber(reader, "a field section");
  return form === "indeterminate" && length === 0 ? null : length;
}

async function readText(reader: PieceReader, what: string): Promise<string> {
  return await readBytes(reader, await readNumber(reader, `the length of the ${what}`), what);
}

/** So many bytes as a text, one character each. */
async function readBytes(reader: PieceReader, length: number, what: string): Promise<string> {
  if (length > MAX_TEXT_BYTES) throw tooLarge(`the ${what} has more than ${MAX_TEXT_BYTES} bytes`);
  const bytes = await reader.take(length);
  if (bytes === null) throw truncated(`the ${what}`);
  return String.fromCharCode(...bytes);
}

async function readNumber(reader: PieceReader, what: string): Promise<number> {
  const value = await reader.varint();
  if (value === null) throw truncated(what);
  return value;
}

async function* only(piece: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield await Promise.resolve(piece);
}

function truncated(where: string): Error {
  return invalid(`the message ends in ${where}`);
}
