/** What the fixtures return, the same in both eras. */
import { deflateSync, crc32 } from "node:zlib";

function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.byteLength);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

/** A PNG of one red pixel (PNG specification, section 5), base64. */
function redPixel(): string {
  const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]);
  const row = deflateSync(Buffer.from([0, 255, 0, 0]));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    pngChunk("IHDR", header),
    pngChunk("IDAT", row),
    pngChunk("IEND", Buffer.alloc(0)),
  ]).toString("base64");
}

/** A mono 8-bit 8 kHz WAV of eight silent samples, base64. */
function silence(): string {
  const samples = Buffer.alloc(8, 0x80);
  const head = Buffer.alloc(44);
  head.write("RIFF", 0, "latin1");
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write("WAVEfmt ", 8, "latin1");
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8_000, 24);
  head.writeUInt32LE(8_000, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write("data", 36, "latin1");
  head.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([head, samples]).toString("base64");
}

const PIXEL = redPixel();
const SILENCE = silence();

/** A content block of text. */
export function text(value: string): { type: "text"; text: string } {
  return { type: "text", text: value };
}

/** A content block of one red pixel. */
export function image(): { type: "image"; data: string; mimeType: string } {
  return { type: "image", data: PIXEL, mimeType: "image/png" };
}

/** A content block of a millisecond of silence. */
export function audio(): { type: "audio"; data: string; mimeType: string } {
  return { type: "audio", data: SILENCE, mimeType: "audio/wav" };
}

/** A content block with a text resource in it. */
export function embedded(
  uri: string,
  mimeType: string,
  value: string,
): { type: "resource"; resource: { uri: string; mimeType: string; text: string } } {
  return { type: "resource", resource: { uri, mimeType, text: value } };
}

/** A text resource's contents. */
export function textContents(
  uri: string,
  mimeType: string,
  value: string,
): { uri: string; mimeType: string; text: string } {
  return { uri, mimeType, text: value };
}

/** Contents of the binary resource. */
export function pixelContents(uri: string): { uri: string; mimeType: string; blob: string } {
  return { uri, mimeType: "image/png", blob: PIXEL };
}
