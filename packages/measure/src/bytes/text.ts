import { invalid } from "./input.ts";

/** Bytes of a kernel command line without its NUL: x86 Linux keeps 2048 bytes with it and drops the rest unseen. */
export const MAX_COMMAND_LINE = 2047;

/** ASCII control characters: what is before the space, and DEL. */
const ASCII_CONTROL = /[^\u0020-\uffff]|\u007f/;

/**
 * UTF-8 of a kernel command line.
 * @throws CmcpError `MEASURE_INPUT_INVALID` for ASCII control characters, which boot stages treat in different ways, or more
 * than {@link MAX_COMMAND_LINE} bytes
 */
export function commandLineBytes(commandLine: string): Uint8Array {
  if (ASCII_CONTROL.test(commandLine)) throw invalid("command line", "holds a control character");
  const bytes = new TextEncoder().encode(commandLine);
  if (bytes.length > MAX_COMMAND_LINE)
    throw invalid("command line", `${bytes.length} bytes, at most ${MAX_COMMAND_LINE}`);
  return bytes;
}

/** Whether every character is one byte in UTF-8. */
export function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}

/** UTF-16LE with a NUL at its end, as UEFI passes text. */
export function utf16WithNul(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, "utf16le");
}
