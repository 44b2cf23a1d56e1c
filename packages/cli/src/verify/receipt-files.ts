import { readFileOf } from "../read-file.ts";

/** Most receipts of one file: the calls of the longest session. */
const MAX_RECEIPTS = 50_000;
const NEWLINE = 0x0a;
const [OPEN, CLOSE] = [0x7b, 0x7d];

/**
 * The receipts of files: each has one as JSON, or several, one a line, as `cmcp connect --receipts` writes them.
 * @throws CmcpError `USAGE` naming the path
 */
export async function receiptsIn(paths: readonly string[]): Promise<Uint8Array[]> {
  const files = await Promise.all(paths.map(readFileOf));
  return files.flatMap((bytes) => linesOf(bytes) ?? [bytes]);
}

/** The lines of a file whose every line is an object; `null` for any other file. */
function linesOf(bytes: Uint8Array): Uint8Array[] | null {
  const lines: Uint8Array[] = [];
  let start = 0;
  while (start < bytes.length) {
    const found = bytes.indexOf(NEWLINE, start);
    const line = bytes.subarray(start, found === -1 ? bytes.length : found);
    if (line[0] !== OPEN || line.at(-1) !== CLOSE || lines.length >= MAX_RECEIPTS) return null;
    lines.push(line);
    start += line.length + 1;
  }
  return lines.length === 0 ? null : lines;
}
